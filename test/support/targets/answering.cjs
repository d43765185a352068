const { readFileSync, writeFileSync } = require('node:fs');

/** How a double ends. */
class Ended extends Error {
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

function end(code, text) {
  throw new Ended(code, text);
}

/** Runs a double on the state in a file. @param variables of its environment @returns its exit code and what it prints */
function answer(double, args, file, variables) {
  const state = JSON.parse(readFileSync(file, 'utf8'));
  try {
    double(args, state, variables);
  } catch (error) {
    if (!(error instanceof Ended)) throw error;
    writeFileSync(file, JSON.stringify(state));
    return { code: error.code, text: error.message };
  }
  throw new Error('a double has to say how it ends');
}

function main(double, file) {
  const { code, text } = answer(double, process.argv.slice(2), file, process.env);
  (code === 0 ? process.stdout : process.stderr).write(`${text}\n`);
  process.exitCode = code;
}

module.exports = { answer, end, main };
