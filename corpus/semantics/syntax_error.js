// @benign syntax_error.js
// @what a program that does not parse: nothing of it runs, the line and the caret are on stderr, the code is 1
// @limits cpu=5 wall=10
// @expect exit=1
// @expect out=
// @expect stderr=SyntaxError:
console.log('never');
const answer = ;
