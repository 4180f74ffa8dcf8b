module example.com/example-check

go 1.26.8

require (
	github.com/ftlint/ftlint v0.0.0
	golang.org/x/tools v0.52.0
)

require (
	github.com/bluekeyes/go-gitdiff v0.9.0 // indirect
	github.com/bmatcuk/doublestar/v4 v4.10.4 // indirect
	github.com/emersion/go-message v0.18.2 // indirect
	github.com/go-delve/delve v1.27.2 // indirect
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/mikelolasagasti/xz v1.0.1 // indirect
	github.com/pmezard/go-difflib v1.0.1-0.20181226105442-5d4384ee4fb2 // indirect
	github.com/yuin/goldmark v1.8.7 // indirect
	golang.org/x/arch v0.32.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/telemetry v0.0.0-20261009151841-97e8ea77aa2a // indirect
	golang.org/x/text v0.43.0 // indirect
)

// In this tree. Elsewhere: go get github.com/ftlint/ftlint@latest
replace github.com/ftlint/ftlint => ../..
