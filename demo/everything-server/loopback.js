// The everything server listens on every address and has no option against it.
// Loaded before it (`node --import`), this puts every listener on loopback.
import { Server } from "node:net";

const listen = Server.prototype.listen;

Server.prototype.listen = function (port, ...rest) {
  const callback = rest.findLast((argument) => typeof argument === "function");
  return listen.call(this, { port: Number(port), host: "127.0.0.1" }, callback);
};
