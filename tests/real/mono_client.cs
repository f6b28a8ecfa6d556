// Gets URL COUNT times, by Mono's own TLS, and says what came back.
using System;
using System.Net;
using System.Security.Cryptography;

class Client {
	static void Main(string[] args) {
		ServicePointManager.ServerCertificateValidationCallback = (a, b, c, d) => true;
		using (var hash = SHA256.Create())
			for (int i = 0; i < int.Parse(args[1]); i++)
				using (var client = new WebClient()) {
					byte[] got = client.DownloadData(args[0]);
					Console.WriteLine(got.Length + " " +
							  BitConverter.ToString(hash.ComputeHash(got)));
				}
	}
}
