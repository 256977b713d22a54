/** One file for the browser, minified, made by the bundler that makes the pages. */
import { build } from "vite";

export interface Bundle {
  readonly code: string;
  /** What it leaves to be imported. */
  readonly imports: readonly string[];
  /** What went into it, by path. */
  readonly sources: readonly string[];
}

/** `external`: packages that stay outside. */
export async function bundle(
  entry: string,
  { external = [] }: { external?: string[] } = {},
): Promise<Bundle> {
  const built = await build({
    configFile: false,
    logLevel: "error",
    build: {
      write: false,
      minify: true,
      target: "es2022", // as in vite.config.ts
      rolldownOptions: {
        input: entry,
        external,
        preserveEntrySignatures: "strict", // the exports stay, though nobody in here uses them
        output: { format: "es" },
      },
    },
  });
  if (!Array.isArray(built) && !("output" in built)) throw new Error("Expected a build");
  const [chunk, ...rest] = [built].flat().flatMap(({ output }) => output);
  if (chunk?.type !== "chunk" || rest.length > 0) throw new Error("Expected one file");
  const { code, imports, moduleIds: sources } = chunk;
  return { code, imports, sources };
}
