export interface StageDef {
  label: string;
  probability: number;
  closed: boolean;
  won: boolean;
  forecast: "Omitted" | "Pipeline" | "BestCase" | "Forecast" | "Closed";
}

function open(label: string, probability: number, forecast: StageDef["forecast"] = "Pipeline"): StageDef {
  return { label, probability, closed: false, won: false, forecast };
}

/** What a new org ships with. */
export const STANDARD_STAGES: readonly StageDef[] = [
  open("Prospecting", 10),
  open("Qualification", 10),
  open("Needs Analysis", 20),
  open("Value Proposition", 50),
  open("Id. Decision Makers", 60),
  open("Perception Analysis", 70, "BestCase"),
  open("Proposal/Price Quote", 75, "BestCase"),
  open("Negotiation/Review", 90, "Forecast"),
  { label: "Closed Won", probability: 100, closed: true, won: true, forecast: "Closed" },
  { label: "Closed Lost", probability: 0, closed: true, won: false, forecast: "Omitted" },
];

/** The four stages of the Maven data, as its dictionary orders them. */
export const MAVEN_STAGES: readonly StageDef[] = [
  open("Prospecting", 10),
  open("Engaging", 40),
  { label: "Won", probability: 100, closed: true, won: true, forecast: "Closed" },
  { label: "Lost", probability: 0, closed: true, won: false, forecast: "Omitted" },
];
