// TLS calls whose goroutine's stack moves in the middle of them: the buffers are on the stack, every write
// and read of the connection goes deep first, so that the stack grows, and the collector makes it
// small again. Posts SIZE bytes COUNT times over each of 8 connections and wants them back.
//
//	stacks ADDRESS COUNT SIZE
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"unsafe"
)

type deepConn struct {
	net.Conn
	depth int
}

//go:noinline
func deep(depth int, do func()) byte {
	var room [1024]byte
	room[depth%len(room)] = byte(depth)
	if depth == 0 {
		do()
	} else {
		room[0] = deep(depth-1, do)
	}
	return room[depth%len(room)]
}

func (c *deepConn) Write(data []byte) (n int, err error) {
	c.depth = (c.depth + 7) % 60
	deep(c.depth, func() { n, err = c.Conn.Write(data) })
	return
}

func (c *deepConn) Read(data []byte) (n int, err error) {
	c.depth = (c.depth + 7) % 60
	deep(c.depth, func() { n, err = c.Conn.Read(data) })
	return
}

// So that the compiler leaves the buffer on the stack.
//
//go:nosplit
func noescape(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return unsafe.Pointer(x ^ 0)
}

const bufferSize = 1500

//go:noinline
func writeFromStack(conn *tls.Conn, data []byte) error {
	var buffer [bufferSize]byte
	for len(data) > 0 {
		n := copy(buffer[:], data)
		data = data[n:]
		if _, err := conn.Write(unsafe.Slice((*byte)(noescape(unsafe.Pointer(&buffer[0]))), n)); err != nil {
			return err
		}
	}
	return nil
}

type stackReader struct{ conn *tls.Conn }

//go:noinline
func (r stackReader) Read(data []byte) (int, error) {
	var buffer [bufferSize]byte
	size := len(buffer)
	if len(data) < size {
		size = len(data)
	}
	n, err := r.conn.Read(unsafe.Slice((*byte)(noescape(unsafe.Pointer(&buffer[0]))), size))
	return copy(data, buffer[:n]), err
}

func exchange(number, count, size int) error {
	tcp, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		return err
	}
	conn := tls.Client(&deepConn{tcp, number}, &tls.Config{InsecureSkipVerify: true})
	defer conn.Close()
	replies := bufio.NewReader(stackReader{conn})
	for i := 0; i < count; i++ {
		body := bytes.Repeat([]byte{byte('a' + (number+i)%26)}, size)
		head := fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n", size)
		// A new goroutine has a small stack.
		sent := make(chan error)
		go func() { sent <- writeFromStack(conn, append([]byte(head), body...)) }()
		if err := <-sent; err != nil {
			return err
		}
		reply, err := http.ReadResponse(replies, nil)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(reply.Body)
		if err != nil || !bytes.Equal(data, body) {
			return fmt.Errorf("not the echo: %d bytes, %v", len(data), err)
		}
	}
	return nil
}

func main() {
	count, _ := strconv.Atoi(os.Args[2])
	size, _ := strconv.Atoi(os.Args[3])
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			if err := exchange(i, count, size); err != nil {
				log.Fatal(err)
			}
		}(i)
	}
	over := make(chan bool)
	go func() { all.Wait(); close(over) }()
	for done := false; !done; {
		select {
		case <-over:
			done = true
		default:
			runtime.GC()
		}
	}
	fmt.Println("all came back")
}
