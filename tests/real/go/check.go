// A server whose answers have all that changes from run to run, and a client of it with a pool of
// connections. With a certificate the server speaks TLS, and HTTP/2.
//
//	check server HOST ANSWER [CERTIFICATE KEY]
//	check client URL COUNT
package main

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func uuid() string {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		log.Fatal(err)
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func answer(word string) http.HandlerFunc {
	return func(reply http.ResponseWriter, request *http.Request) {
		id := request.URL.Query().Get("id")
		said := map[string]any{"id": uuid(), "time": time.Now(), "path": request.URL.Path,
			"asked": id, "seconds": time.Now().Unix()}
		if request.URL.Path == "/3" {
			said["answer"] = word
		}
		reply.Header().Set("Content-Type", "application/json")
		reply.Header().Set("X-Request-Id", uuid())
		json.NewEncoder(reply).Encode(said)
	}
}

func serve() {
	listener, err := net.Listen("tcp", os.Args[2]+":0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: answer(os.Args[3])}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		os.Exit(0)
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	fmt.Printf("listening on %d\n", port)
	if path := os.Getenv("PORT_FILE"); path != "" {
		if err := os.WriteFile(path, []byte(strconv.Itoa(port)+"\n"), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	if len(os.Args) > 5 {
		log.Fatal(server.ServeTLS(listener, os.Args[4], os.Args[5]))
	}
	log.Fatal(server.Serve(listener))
}

type said struct {
	ID string `json:"id"`
}

func get(client *http.Client, url string) string {
	reply, err := client.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer reply.Body.Close()
	data, err := io.ReadAll(reply.Body)
	if err != nil {
		log.Fatal(err)
	}
	var what said
	if err := json.Unmarshal(data, &what); err != nil {
		log.Fatal(err)
	}
	return what.ID
}

func main() {
	if os.Args[1] == "server" {
		serve()
	}
	count, _ := strconv.Atoi(os.Args[3])
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 8,
	}}
	var all sync.WaitGroup
	for i := 0; i < count; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			// What one answer brings, the next request takes along.
			id := get(client, fmt.Sprintf("%s/%d", os.Args[2], i))
			get(client, fmt.Sprintf("%s/again/%d?id=%s", os.Args[2], i, id))
		}(i)
	}
	all.Wait()
}
