-- What wrk sends: the same request again and again, or each with another token.
-- Arguments: a file of headers ("Name: value" lines), a file with the body, and
-- then either nothing, or a file of tokens and the number of the first one.

local requests, position = {}, 0

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  local headers = {}
  for name, value in read(args[1]):gmatch("([^:\n]+): ([^\n]+)") do
    headers[name] = value
  end
  local body = read(args[2])
  if args[3] then
    for token in io.lines(args[3]) do
      headers["Authorization"] = "Bearer " .. token
      requests[#requests + 1] = wrk.format("POST", wrk.path, headers, body)
    end
    position = tonumber(args[4]) % #requests
  else
    requests[1] = wrk.format("POST", wrk.path, headers, body)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"seconds":%f,"requests":%d,"refused":%d,"failed":%d,"p50_us":%f,"p99_us":%f}\n',
    summary.duration / 1e6, summary.requests, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
