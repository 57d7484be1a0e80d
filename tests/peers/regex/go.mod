module stoa/tests/peers/regex

go 1.26
