// An HTTP server like go/server.go: /SIZE, /chunked/SIZE and /echo; HTTPS with a certificate and its key,
// HTTP/2 as well.
"use strict";
const fs = require("fs");
const http = require("http");
const http2 = require("http2");

function pattern(size) {
	const data = Buffer.alloc(size);
	for (let i = 0, state = 1; i < size; i++) {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		data[i] = state >>> 24;
	}
	return data;
}

function answer(request, reply) {
	const match = /^(\/chunked)?\/(\d+)$/.exec(request.url);
	if (request.url === "/echo") {
		request.pipe(reply);
	} else if (!match) {
		reply.writeHead(404);
		reply.end("nothing there");
	} else if (match[1]) {
		let data = pattern(Number(match[2]));
		while (data.length) {
			const size = 1 + Math.floor(data.length / 3);
			reply.write(data.subarray(0, size));
			data = data.subarray(size);
		}
		reply.end();
	} else {
		reply.setHeader("Content-Length", match[2]);
		reply.end(pattern(Number(match[2])));
	}
}

const [host, cert, key] = process.argv.slice(2);
const server = cert ?
	http2.createSecureServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key),
		allowHTTP1: true }, answer) :
	http.createServer(answer);
server.listen(0, host, () => console.log(`listening on ${server.address().port}`));
process.on("SIGTERM", () => {
	server.close(() => console.log("over"));
	server.closeIdleConnections?.();
});
