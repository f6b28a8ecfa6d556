// Goroutines that wait in the system call through which all others go, before the first socket is used
// and while it is, under constant garbage collection: what they read in the end must be theirs.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"runtime"
	"sync"
	"syscall"
)

const waiting = 8
const rounds = 500

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Below many frames, so that the stack has just grown or is about to.
func deep(depth int, f func()) int {
	var room [64]byte
	if depth == 0 {
		f()
		return 0
	}
	room[depth%64] = byte(depth)
	return deep(depth-1, f) + int(room[(depth+1)%64])
}

func blocked(pipe int, number int, started, ended *sync.WaitGroup) {
	deep(number*7, func() {
		buffer := make([]byte, 100)
		started.Done()
		for i := 0; i < 2; i++ {
			n, err := syscall.Read(pipe, buffer)
			must(err)
			if want := fmt.Sprintf("%d wakes", number); string(buffer[:n]) != want {
				log.Fatalf("goroutine %d read %q", number, buffer[:n])
			}
		}
		ended.Done()
	})
}

// By read and write: io.Copy would splice.
func echo(conn net.Conn) {
	buffer := make([]byte, 1000)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			break
		}
		_, err = conn.Write(buffer[:n])
		must(err)
	}
	conn.Close()
}

func talk(address string, number int) {
	conn, err := net.Dial("tcp", address)
	must(err)
	for i := 0; i < rounds; i++ {
		text := fmt.Sprintf("connection %d, message %d\n", number, i)
		got := make([]byte, len(text))
		deep(i%50, func() {
			_, err := conn.Write([]byte(text))
			must(err)
			_, err = io.ReadFull(conn, got)
			must(err)
		})
		if string(got) != text {
			log.Fatalf("connection %d got %q", number, got)
		}
	}
	conn.Close()
}

func main() {
	var started, ended, talks sync.WaitGroup
	var pipes [waiting][2]int
	runtime.GOMAXPROCS(4)
	for i := range pipes {
		must(syscall.Pipe(pipes[i][:]))
		started.Add(1)
		ended.Add(1)
		go blocked(pipes[i][0], i, &started, &ended)
	}
	started.Wait()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		for {
			conn, err := listener.Accept()
			must(err)
			go echo(conn)
		}
	}()
	for round := 0; round < 2; round++ {
		for i := 0; i < 4; i++ {
			talks.Add(1)
			go func(i int) {
				talk(listener.Addr().String(), i)
				talks.Done()
			}(i)
		}
		talks.Wait()
		for i := range pipes {
			_, err := syscall.Write(pipes[i][1], []byte(fmt.Sprintf("%d wakes", i)))
			must(err)
		}
	}
	ended.Wait()
	fmt.Println("all is well")
}
