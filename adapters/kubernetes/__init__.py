"""What Kubernetes clusters are asked."""
