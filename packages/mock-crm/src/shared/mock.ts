import type { MockControl } from "../control/control.ts";

/** A started mock, whichever provider it plays. */
export interface Mock {
  url: string;
  port: number;
  control: MockControl;
  stop(): Promise<void>;
}
