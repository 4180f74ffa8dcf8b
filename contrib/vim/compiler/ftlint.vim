" Vim and Neovim compiler plugin for ftlint: :compiler ftlint, then :make, or
" :make 0001-arm64-ftrace.patch. The rule's ID is in the text of each entry.
if exists('current_compiler')
  finish
endif
let current_compiler = 'ftlint'

let s:keep = &cpoptions
set cpoptions&vim

CompilerSet makeprg=ftlint\ -q
" A finding at a line, a place beside it, and a finding about a file.
CompilerSet errorformat=%f:%l:%c:\ %trror:\ %m,%f:%l:%c:\ %tarning:\ %m,%f:%l:%c:\ %tote:\ %m
CompilerSet errorformat+=%f:\ %trror:\ %m,%f:\ %tarning:\ %m,%f:\ %tote:\ %m
" The source line, the caret below it, and what is said without --quiet.
CompilerSet errorformat+=%-G%.%#

let &cpoptions = s:keep
unlet s:keep
