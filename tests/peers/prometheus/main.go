// Command prometheus runs Prometheus' own code for the tests of Stoa: what it writes, reads and
// answers is the truth that Stoa is held against.
//
//	prometheus write -out DIR [-kind KIND] [-seed N]   write TSDB blocks
//	prometheus dump -block DIR                         print every series and sample of a block
//	prometheus chunks -block DIR                       print every chunk of a block
//	prometheus eval -blocks DIR | -dump FILE           answer PromQL from stdin over blocks, or over a dump
//	prometheus at                                      set @ on the selectors of queries from stdin
//	prometheus load                                    print what promqltest loads of texts from stdin
//	prometheus parse                                   print what the parser makes of queries from stdin
//	prometheus read -url URL [-chunked]                print what remote read answers to queries from stdin
//	prometheus script                                  run scripts of promqltest from stdin, print what fails
//
// A subcommand lives in a file of its name and registers itself in commands.
package main

import (
	"fmt"
	"os"
	"slices"
)

// commands maps a subcommand's name to its run function, which gets the arguments after the name.
var commands = map[string]func(args []string) error{
	"at":     at,
	"chunks": listChunks,
	"dump":   dump,
	"eval":   eval,
	"load":   load,
	"parse":  parse,
	"read":   read,
	"script": script,
	"write":  write,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		names := make([]string, 0, len(commands))
		for name := range commands {
			names = append(names, name)
		}
		slices.Sort(names)
		fmt.Fprintf(os.Stderr, "usage: prometheus SUBCOMMAND; subcommands: %v\n", names)
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "prometheus %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
