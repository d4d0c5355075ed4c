import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

/** The loader that lets a child process of Node run TypeScript: `node --import <this> file.ts`. */
export const TSX = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
