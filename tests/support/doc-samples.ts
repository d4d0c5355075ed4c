import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { PROJECT_ROOT } from "../../scripts/lib/workbench.ts";

export interface DocSample {
  /** File and line, as a person would look it up. */
  where: string;
  code: string;
}

const FENCE = /^```ts\n([\s\S]*?)^```$/gm;

export function docFiles(): string[] {
  const docs = readdirSync(join(PROJECT_ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name));
  return ["README.md", ...docs];
}

/** Every fenced `ts` block of the README and the docs. */
export function docSamples(): DocSample[] {
  return docFiles().flatMap((file) => {
    const text = readFileSync(join(PROJECT_ROOT, file), "utf8");
    return [...text.matchAll(FENCE)].map((match) => ({
      where: `${file}:${text.slice(0, match.index).split("\n").length}`,
      code: match[1] ?? "",
    }));
  });
}

/** A sample as a function of the names it may use; imports are dropped, since those names are given. */
export function compileSample(code: string, names: readonly string[]): (...values: unknown[]) => Promise<void> {
  const body = code.replace(/^import .*$/gm, "");
  const { outputText } = ts.transpileModule(`async function sample() {\n${body}\n}`, {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  });
  return new Function(...names, `${outputText}\nreturn sample();`) as (...values: unknown[]) => Promise<void>;
}
