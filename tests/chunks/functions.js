// Prints, as JSON, the named functions with a body that TypeScript's own compiler finds in each file.
// node functions.js PATH_OF_typescript.js FILE ...  ->  {"FILE": [["name", line], ...], ...}
const [, , compiler, ...files] = process.argv;
const ts = require(compiler);
const fs = require('fs');

const found = {};
for (const file of files) {
  const source = ts.createSourceFile(file, fs.readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const list = (found[file] = []);
  const visit = (node) => {
    const isFunction = ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node);
    if (isFunction && node.name && node.body && ts.isIdentifier(node.name)) {
      const first = ts.getModifiers(node)?.[0] ?? node;
      list.push([node.name.text, source.getLineAndCharacterOfPosition(first.getStart(source)).line + 1]);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}
console.log(JSON.stringify(found));
