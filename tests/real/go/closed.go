// A connection whose descriptor is closed inside of the TLS library's Write, behind its last system call: by
// the goroutine that writes, where another one has asked for it meanwhile. 16 of them, each with 20 lines.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
)

const (
	connections = 16
	lines       = 20
)

type closedConn struct {
	net.Conn
	last bool
}

func (c *closedConn) Write(data []byte) (int, error) {
	n, err := c.Conn.Write(data)
	if c.last {
		c.Conn.Close()
	}
	return n, err
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func client(address string, done chan bool) {
	inner, err := net.Dial("tcp", address)
	check(err)
	conn := &closedConn{Conn: inner}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	check(secure.Handshake())
	for i := 1; i <= lines; i++ {
		conn.last = i == lines
		_, err = fmt.Fprintf(secure, "line %d\n", i)
		check(err)
	}
	done <- true
}

func main() {
	config := &tls.Config{Certificates: []tls.Certificate{certificate()}}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	check(err)
	done := make(chan bool)
	for i := 0; i < connections; i++ {
		go client(listener.Addr().String(), done)
		conn, err := listener.Accept()
		check(err)
		got, _ := io.ReadAll(conn)
		fmt.Println(len(got), "bytes")
		conn.Close()
		<-done
	}
}
