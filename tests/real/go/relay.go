// Passes connections on: io.Copy between sockets is splice here, through a pipe.
//
//	relay TARGET HOST
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func pass(from, to net.Conn, done chan bool) {
	io.Copy(to, from)
	to.(*net.TCPConn).CloseWrite()
	done <- true
}

func relay(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	done := make(chan bool)
	go pass(client, server, done)
	go pass(server, client, done)
	<-done
	<-done
}

func main() {
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Args[2], "0"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		os.Exit(0)
	}()
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go relay(client)
	}
}
