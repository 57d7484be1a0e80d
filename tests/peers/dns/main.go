// Command dns is a DNS server for the tests of Stoa, over miekg/dns, the library of CoreDNS.
//
//	dns -zone FILE
//
// It answers from a zone file (RFC 1035), which is read anew for each question, on a port of loopback,
// UDP and TCP, that its first line of output names. A name that the zone does not have does not exist;
// a zone that does not parse is a failure of the server.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/miekg/dns"
)

// read returns the records of a zone file by name.
func read(path string) (map[string][]dns.RR, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	records := map[string][]dns.RR{}
	parser := dns.NewZoneParser(file, ".", path)
	for record, ok := parser.Next(); ok; record, ok = parser.Next() {
		name := strings.ToLower(record.Header().Name)
		records[name] = append(records[name], record)
	}
	return records, parser.Err()
}

// answer is what the zone says to a question.
func answer(question *dns.Msg, path string) *dns.Msg {
	reply := new(dns.Msg).SetReply(question)
	reply.Authoritative = true
	reply.Compress = true
	records, err := read(path)
	if err != nil || len(question.Question) != 1 {
		fmt.Fprintln(os.Stderr, "dns:", err)
		reply.Rcode = dns.RcodeServerFailure
		return reply
	}
	asked := question.Question[0]
	found, exists := records[strings.ToLower(asked.Name)]
	if !exists {
		reply.Rcode = dns.RcodeNameError
	}
	for _, record := range found {
		if record.Header().Rrtype == asked.Qtype {
			reply.Answer = append(reply.Answer, record)
		}
	}
	return reply
}

// largest is how many bytes the asker takes: over UDP what it says, or 512.
func largest(w dns.ResponseWriter, question *dns.Msg) int {
	if w.RemoteAddr().Network() == "tcp" {
		return dns.MaxMsgSize
	}
	if extension := question.IsEdns0(); extension != nil {
		return int(extension.UDPSize())
	}
	return dns.MinMsgSize
}

func run() error {
	zone := flag.String("zone", "", "the zone file")
	flag.Parse()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", packets.LocalAddr().String())
	if err != nil {
		return err
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		reply := answer(question, *zone)
		reply.Truncate(largest(w, question))
		if err := w.WriteMsg(reply); err != nil {
			fmt.Fprintln(os.Stderr, "dns:", err)
		}
	})
	fmt.Println(packets.LocalAddr())
	failed := make(chan error)
	for _, server := range []*dns.Server{
		{PacketConn: packets, Handler: handler},
		{Listener: listener, Handler: handler},
	} {
		go func() { failed <- server.ActivateAndServe() }()
	}
	return <-failed
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "dns:", err)
		os.Exit(1)
	}
}
