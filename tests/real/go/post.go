// Posts a gzip'ed string: what the last example of an article on tracing Go programs does.
//
//	post URL TEXT
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := io.WriteString(writer, os.Args[2]); err != nil {
		log.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
	request, err := http.NewRequest("POST", os.Args[1], &packed)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Encoding", "gzip")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	reply, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, reply.Body)
	reply.Body.Close()
}
