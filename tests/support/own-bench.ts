import { takeBench } from "./bench.ts";

await takeBench();
