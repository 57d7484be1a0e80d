// Command storeapi runs Thanos' own StoreAPI code: the bucket store over native blocks, which Stoa's
// store is held against, and the querier over any endpoint, which must accept Stoa's.
//
// Build it with -tags slicelabels: Thanos looks into label sets as slices.
//
//	storeapi write -out DIR -labels a=b,c=d    write a block of series from stdin
//	storeapi downsample -dir DIR -block ID     downsample a block, beside it
//	storeapi windows -dir DIR -block ID        print the aggregates of a downsampled block
//	storeapi store -bucket DIR                 serve the blocks of a folder; prints its address
//	storeapi query -endpoints ADDR,ADDR        answer queries from stdin
//	storeapi series -endpoint ADDR             get series, and tell how much came how fast
//	storeapi remote -endpoints ADDR            the same through the Query API; -distributed for several
//	storeapi certs DIR                         make an authority, a server's and a client's certificate
package main

import (
	"fmt"
	"os"
)

var commands = map[string]func(args []string) error{
	"certs":      certs,
	"downsample": downsampled,
	"query":      queries,
	"remote":     remote,
	"series":     fetch,
	"store":      serve,
	"windows":    windows,
	"write":      write,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: storeapi certs|downsample|query|remote|series|store|windows|write")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "storeapi %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
