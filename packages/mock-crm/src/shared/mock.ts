import type { MockControl } from "../control/control.ts";
import type { Listening } from "./server.ts";

/** A started mock, whichever provider it plays. */
export interface Mock extends Listening {
  control: MockControl;
}
