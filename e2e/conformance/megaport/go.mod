module causeway.dev/conformance/megaport

go 1.24.0

require github.com/megaport/megaportgo v1.17.0

require (
	github.com/lithammer/fuzzysearch v1.1.8 // indirect
	golang.org/x/text v0.14.0 // indirect
)
