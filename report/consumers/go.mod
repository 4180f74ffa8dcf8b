// Tests of ftlint's reports by the programs that read them. A module of its
// own, so that ftlint does not depend on those.
module github.com/ftlint/ftlint/report/consumers

go 1.26.8

require (
	github.com/joshdk/go-junit v1.0.0
	github.com/reviewdog/errorformat v0.0.0-20260721110140-13bff69235f3
	github.com/reviewdog/reviewdog v0.21.0
)

require (
	github.com/haya14busa/go-sarif v0.0.0-20240630170108-a3ba8d79599f // indirect
	google.golang.org/protobuf v1.36.8 // indirect
)
