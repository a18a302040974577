// Commands from the tests: one JSON object per line on stdin, and per line on
// stdout either the result or what `told` makes of the error. The end of the
// input is the end.
import { createInterface } from "node:readline";

export async function serve(commands, told) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...fields } = JSON.parse(line);
    let outcome;
    try {
      outcome = { result: (await commands[command](fields)) ?? null };
    } catch (error) {
      outcome = told(error);
    }
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
  }
}
