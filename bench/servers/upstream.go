package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// What of a message is looked at to know how to answer it.
const glance = 256

// How often the event stream has something new, and how often in all.
const (
	eventInterval = 20 * time.Millisecond
	events        = 50
)

// An upstream answers every request with bytes that were made beforehand. It is
// no HTTP server of a library: it has to take less of a core than Envoy, so that
// Envoy is what a measurement finds the limit of.
type upstream struct {
	result   []byte
	tools    []byte
	kept     []byte
	fresh    []byte
	firstOne []byte
	nextOne  []byte
}

func serveUpstream(address, toolsFile string) error {
	tools, err := os.ReadFile(toolsFile)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	event := []byte(`data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}` + "\n\n")
	server := &upstream{
		result:   whole([]byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}`)),
		tools:    whole(tools),
		kept:     whole(credential(300)),
		fresh:    whole(credential(0)),
		firstOne: append([]byte("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"), chunk(event)...),
		nextOne:  chunk(event),
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go server.serve(connection)
	}
}

// What the token service answers to the filter (token-service/README.md).
func credential(seconds int) []byte {
	return fmt.Appendf(nil,
		`{"status":"authenticated","method":"oauth","headers":[{"name":"authorization","value":"Bearer of-the-upstream"}],`+
			`"credential_version":"1","cache_ttl_s":%d}`, seconds)
}

func whole(body []byte) []byte {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n", len(body))
	return append([]byte(head), body...)
}

func chunk(data []byte) []byte {
	return fmt.Appendf(nil, "%x\r\n%s\r\n", len(data), data)
}

func (server *upstream) serve(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReaderSize(connection, 1<<17)
	for {
		path, start, err := readRequest(reader)
		if err != nil {
			return
		}
		if err := server.answer(connection, path, start); err != nil {
			return
		}
	}
}

func (server *upstream) answer(connection net.Conn, path string, start []byte) error {
	answer := server.result
	switch {
	case path == "/kept":
		answer = server.kept
	case path == "/fresh":
		answer = server.fresh
	case bytes.Contains(start, []byte(`"tools/list"`)):
		answer = server.tools
	case bytes.Contains(start, []byte(`"stream"`)):
		return server.stream(connection)
	}
	_, err := connection.Write(answer)
	return err
}

func (server *upstream) stream(connection net.Conn) error {
	if _, err := connection.Write(server.firstOne); err != nil {
		return err
	}
	ticker := time.NewTicker(eventInterval)
	defer ticker.Stop()
	for range events {
		<-ticker.C
		if _, err := connection.Write(server.nextOne); err != nil {
			return err
		}
	}
	_, err := connection.Write([]byte("0\r\n\r\n"))
	return err
}

// readRequest reads one request; its path, and the start of its body.
func readRequest(reader *bufio.Reader) (string, []byte, error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return "", nil, err
	}
	words := strings.Fields(string(line))
	if len(words) != 3 {
		return "", nil, errors.New("no request line")
	}
	length, chunked := 0, false
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return "", nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return "", nil, err
			}
		}
		if bytes.EqualFold(name, []byte("transfer-encoding")) {
			chunked = true
		}
	}
	if !chunked {
		start, err := readPart(reader, length)
		return words[1], start, err
	}
	start, err := readChunks(reader)
	return words[1], start, err
}

// readChunks reads a chunked body, as Envoy sends it for a request that came by
// HTTP/2 without a length.
func readChunks(reader *bufio.Reader) ([]byte, error) {
	var start []byte
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return nil, err
		}
		part, err := readPart(reader, int(size))
		if err != nil {
			return nil, err
		}
		if start == nil {
			start = part
		}
		if _, err := reader.Discard(len("\r\n")); err != nil {
			return nil, err
		}
		if size == 0 {
			return start, nil
		}
	}
}

// readPart reads so many bytes and keeps the first of them.
func readPart(reader *bufio.Reader, length int) ([]byte, error) {
	start := make([]byte, min(length, glance))
	if _, err := io.ReadFull(reader, start); err != nil {
		return nil, err
	}
	_, err := reader.Discard(length - len(start))
	return start, err
}
