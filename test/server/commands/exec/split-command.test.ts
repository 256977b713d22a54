import { expect, test } from "vitest";
import { splitCommand } from "../../../../server/commands/exec/split-command.ts";

test.each([
  ["", "", ""],
  ["--port 1 -- ls -l", "--port 1", "ls -l"],
  ["--port 1 ls -l", "--port 1", "ls -l"],
  ["--port=1 ls --port 2", "--port=1", "ls --port 2"],
  ["-port 1 ls", "-port 1", "ls"],
  ["--binary ls", "--binary", "ls"],
  ["--binary -- -odd", "--binary", "-odd"],
  ["ls -- -l", "", "ls -- -l"],
  ["-- ls -- -l", "", "ls -- -l"],
  ["--port --", "--port --", ""],
  ["--binary", "--binary", ""],
])("of %j the flags are %j and the command %j", (line, own, words) => {
  const of = (text: string) => (text === "" ? [] : text.split(" "));
  expect(splitCommand(of(line), ["port"])).toEqual({ own: of(own), words: of(words) });
});
