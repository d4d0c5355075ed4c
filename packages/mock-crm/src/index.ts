export type { MockControl, RecordActionInput } from "./control/control.ts";
export { type HubSpotMockOptions, startHubSpotMock } from "./hubspot/mock.ts";
export { type SalesforceMockOptions, startSalesforceMock } from "./salesforce/mock.ts";
export { DEFAULT_KNOBS, type Knobs } from "./shared/knobs.ts";
export type { Mock } from "./shared/mock.ts";
export { StartError } from "./shared/start-error.ts";
