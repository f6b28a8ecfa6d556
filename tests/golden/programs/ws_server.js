// An echo server of WebSocket messages with node-ws: takes the address, prints the port.
const { WebSocketServer } = require("/usr/share/nodejs/ws");

const server = new WebSocketServer({ host: process.argv[2], port: 0, perMessageDeflate: { threshold: 0 } });
server.on("listening", () => console.log(`listening on ${server.address().port}`));
server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.ping("are you there");
});
