import type { PropertyOption } from "./property.ts";

export interface DealStage {
  id: string;
  label: string;
  probability: string;
  closed: boolean;
}

export const DEFAULT_PIPELINE = "default";

function open(id: string, label: string, probability: string): DealStage {
  return { id, label, probability, closed: false };
}

/** The pipeline every new account has. */
export const DEAL_STAGES: readonly DealStage[] = [
  open("appointmentscheduled", "Appointment Scheduled", "0.2"),
  open("qualifiedtobuy", "Qualified To Buy", "0.4"),
  open("presentationscheduled", "Presentation Scheduled", "0.6"),
  open("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
  open("contractsent", "Contract Sent", "0.9"),
  { id: "closedwon", label: "Closed Won", probability: "1.0", closed: true },
  { id: "closedlost", label: "Closed Lost", probability: "0.0", closed: true },
];

export function stageOptions(): PropertyOption[] {
  return DEAL_STAGES.map(({ id, label }) => ({ label, value: id }));
}

/** Metadata values are strings, booleans and numbers included. */
export function describePipeline(at: string) {
  const dates = { createdAt: at, updatedAt: at, archived: false };
  return {
    id: DEFAULT_PIPELINE,
    label: "Sales Pipeline",
    displayOrder: 0,
    stages: DEAL_STAGES.map(({ id, label, probability, closed }, displayOrder) => ({
      id,
      label,
      displayOrder,
      metadata: { isClosed: String(closed), probability },
      writePermissions: "CRM_PERMISSIONS_ENFORCEMENT",
      ...dates,
    })),
    ...dates,
  };
}
