// Says text, bytes and fragments to ws_server.js, compressed or not, and closes with a reason.
const WebSocket = require("/usr/share/nodejs/ws");

const [, , host, port, deflate] = process.argv;
const socket = new WebSocket(`ws://${host}:${port}/chat?room=1`, {
    perMessageDeflate: deflate === "1" && { threshold: 0 },
});
const text = "hello hello hello, " + "again and ".repeat(20) + "grüße";
let echoes = 0;
socket.on("open", () => {
    socket.send(text);
    socket.send(Buffer.from([0, 1, 254, 255]));
    socket.send("first part, ", { fin: false });
    socket.send("second part, ", { fin: false });
    socket.ping("in between");
    socket.send("last part", { fin: true });
    socket.send(text);
    socket.send("");
});
socket.on("message", () => {
    if (++echoes === 5)
        socket.close(1000, "done");
});
