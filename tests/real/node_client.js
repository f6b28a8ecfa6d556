// An HTTP client like go/client.go: URL COUNT PATH...; half of it by fetch, half by http.get. Certificates
// are not checked.
"use strict";
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
process.removeAllListeners("warning");
const crypto = require("crypto");

const [url, count, ...paths] = process.argv.slice(2);
const http = require(url.startsWith("https:") ? "https" : "http");
const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });

function get(path) {
	return new Promise((resolve, reject) => {
		http.get(url + path, { agent }, (reply) => {
			const parts = [];
			reply.on("data", (part) => parts.push(part));
			reply.on("end", () => resolve(Buffer.concat(parts)));
		}).on("error", reject);
	});
}

async function fetched(path, options) {
	return Buffer.from(await (await fetch(url + path, options)).arrayBuffer());
}

async function one(path, number) {
	const data = number % 2 ? await fetched(path) : await get(path);
	const again = await fetched("/echo", { method: "POST", body: data });
	const sum = crypto.createHash("sha256").update(data).digest("hex");
	return data.equals(again) ? `${path} ${data.length} ${sum}` : "not the echo";
}

async function main() {
	const all = [];
	for (let i = 0; i < Number(count) * paths.length; i++)
		all.push(one(paths[i % paths.length], i));
	for (const result of await Promise.all(all))
		console.log(result);
	agent.destroy();
}

main();
