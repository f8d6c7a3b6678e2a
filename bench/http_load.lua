-- Sends events of its own id and time each. Arguments: file of templates, most requests, first ten
-- characters of the ids, Unix seconds of the first event.

local requests, number, limit, id_prefix, start = {}, 0, 0, "", 0
local second, clock = -1, ""

function init(args)
  limit, id_prefix, start = tonumber(args[2]), args[3], tonumber(args[4])
  for line in io.lines(args[1]) do
    local head, middle, tail = line:match("^(.*)@ID@(.*)@TIME@(.*)$")
    local size = #head + 26 + #middle + 27 + #tail
    requests[#requests + 1] = {
      "POST /event HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
        .. size .. "\r\n\r\n" .. head, middle, tail,
    }
  end
end

function request()
  number = number + 1
  if number > limit then wrk.thread:stop() end
  local now = math.floor(number / 20000)
  if now ~= second then
    second, clock = now, os.date("!%Y-%m-%dT%H:%M:%S", start + now)
  end
  local parts = requests[number % #requests + 1]
  return parts[1] .. id_prefix .. string.format("%016d", number) .. parts[2] .. clock
    .. string.format(".%06dZ", number % 20000 * 50) .. parts[3]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
