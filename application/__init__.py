"""The use cases: everything Annals does, told in terms of the domain and its ports."""
