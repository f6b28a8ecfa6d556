// An agent that keeps its connections: check_node.js URL COUNT
"use strict";
const http = require("http");

const [url, count] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 3 });

function get(path) {
	return new Promise((resolve, reject) => {
		http.get(url + path, { agent }, (reply) => {
			reply.resume();
			reply.on("end", resolve);
		}).on("error", reject);
	});
}

(async () => {
	await Promise.all(Array.from({ length: Number(count) }, (_, number) => get(`/${number}`)));
	agent.destroy();
})();
