-- Asks for one URL of a file after the other, beginning at an offset: `-- FILE OFFSET`.

local urls = {}
local place = 0

function init(args)
  for line in io.lines(args[1]) do
    urls[#urls + 1] = line
  end
  place = tonumber(args[2])
end

function request()
  place = place + 1
  return wrk.format("GET", urls[(place - 1) % #urls + 1])
end

function done(summary, latency, requests)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "broken": %d, "refused": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, broken, errors.status,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
