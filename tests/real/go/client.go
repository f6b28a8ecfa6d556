// An HTTP client: fetches each path from the server COUNT times, up to 20 at once, posts what it
// got to /echo, and prints sums of the answers, in order. Certificates are not checked.
//
//	client URL COUNT PATH...
package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
)

func body(reply *http.Response, err error) []byte {
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err != nil {
		log.Fatal(err)
	}
	return data
}

func fetch(url, path string) string {
	data := body(http.Get(url + path))
	again := body(http.Post(url+"/echo", "application/octet-stream", bytes.NewReader(data)))
	if !bytes.Equal(data, again) {
		return "not the echo"
	}
	return fmt.Sprintf("%s %d %x", path, len(data), sha256.Sum256(data))
}

func main() {
	http.DefaultTransport.(*http.Transport).TLSClientConfig =
		&tls.Config{InsecureSkipVerify: true}
	url := os.Args[1]
	count, _ := strconv.Atoi(os.Args[2])
	paths := os.Args[3:]
	results := make([]string, count*len(paths))
	turns := make(chan bool, 20)
	var all sync.WaitGroup
	for i := range results {
		all.Add(1)
		turns <- true
		go func(i int) {
			results[i] = fetch(url, paths[i%len(paths)])
			<-turns
			all.Done()
		}(i)
	}
	all.Wait()
	for _, result := range results {
		fmt.Println(result)
	}
}
