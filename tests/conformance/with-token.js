// The suite sends no token. This proxy stands between it and the gate, and adds one:
// everything else goes through as it is, bytes as they come, and the end of either side
// is the end of the other.
import { Agent, createServer, request } from "node:http";
import { pipeline } from "node:stream";

// By path, because each server behind the gate wants a token of its own.
const tokens = JSON.parse(process.env.TOKENS);
const agent = new Agent({ keepAlive: true });

createServer((req, res) => {
  const authorization = ["Authorization", `Bearer ${tokens[req.url]}`];
  const upstream = request({
    agent,
    host: "127.0.0.1",
    port: Number(process.env.GATE_PORT),
    method: req.method,
    path: req.url,
    headers: [...req.rawHeaders, ...authorization],
    setHost: false,
  });
  upstream.on("response", (answer) => {
    res.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders);
    res.flushHeaders();
    pipeline(answer, res, ended);
  });
  upstream.on("error", () => res.destroy());
  res.on("close", () => upstream.destroy());
  pipeline(req, upstream, ended);
}).listen(Number(process.env.PORT), "127.0.0.1");

// Both ends are gone by then; why one of them went first is the gate's business.
function ended() {}
