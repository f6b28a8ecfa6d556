// An HTTP server: /SIZE answers with so many bytes, /chunked/SIZE with as many in chunks,
// /file/SIZE with as many from a file, by sendfile, /echo with what it was sent. It takes the
// address to listen on, prints the port and ends on SIGTERM. With a certificate and its key it
// speaks TLS.
//
//	server HOST [CERTIFICATE KEY]
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func pattern(size int) []byte {
	data := make([]byte, size)
	state := uint32(size)
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return data
}

func serveFile(w http.ResponseWriter, r *http.Request, data []byte) {
	file, err := os.CreateTemp("", "iotrace-go-")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	os.Remove(file.Name())
	if _, err := file.Write(data); err != nil {
		log.Fatal(err)
	}
	http.ServeContent(w, r, "", time.Time{}, file)
}

func answer(w http.ResponseWriter, r *http.Request) {
	chunked := strings.HasPrefix(r.URL.Path, "/chunked/")
	size, err := strconv.Atoi(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
	if err != nil {
		http.NotFound(w, r)
		return
	}
	data := pattern(size)
	if strings.HasPrefix(r.URL.Path, "/file/") {
		serveFile(w, r, data)
		return
	}
	if !chunked {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.Write(data)
		return
	}
	for len(data) > 0 {
		n := 1 + len(data)/3
		w.Write(data[:n])
		w.(http.Flusher).Flush()
		data = data[n:]
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		log.Fatal(err)
	}
	w.Write(data)
}

func main() {
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Args[1], "0"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port)
	http.HandleFunc("/", answer)
	http.HandleFunc("/echo", echo)
	server := &http.Server{}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		server.Shutdown(context.Background())
	}()
	serve := func() error { return server.Serve(listener) }
	if len(os.Args) > 2 {
		serve = func() error { return server.ServeTLS(listener, os.Args[2], os.Args[3]) }
	}
	if err := serve(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	fmt.Println("over")
}
