import { playShare } from "./lib/share.ts";

playShare(1);
