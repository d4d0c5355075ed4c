import type { Provider } from "./world.ts";

interface Names {
  account: Record<"type" | "name" | "website" | "phone" | "description" | "revenue", string>;
  contact: Record<"type" | "lastName" | "title" | "email", string>;
  deal: Record<"type" | "name" | "nextStep" | "amount" | "owner", string> & {
    /** What a new one cannot do without. */
    needed: Record<string, string>;
  };
}

/** What the same things are called in each CRM. */
export const CRM_NAMES: Record<Provider, Names> = {
  salesforce: {
    account: {
      type: "Account",
      name: "Name",
      website: "Website",
      phone: "Phone",
      description: "Description",
      revenue: "AnnualRevenue",
    },
    contact: { type: "Contact", lastName: "LastName", title: "Title", email: "Email" },
    deal: {
      type: "Opportunity",
      name: "Name",
      nextStep: "NextStep",
      amount: "Amount",
      owner: "OwnerId",
      needed: { StageName: "Prospecting", CloseDate: "2027-03-31" },
    },
  },
  hubspot: {
    account: {
      type: "companies",
      name: "name",
      website: "website",
      phone: "phone",
      description: "description",
      revenue: "annualrevenue",
    },
    contact: { type: "contacts", lastName: "lastname", title: "jobtitle", email: "email" },
    deal: {
      type: "deals",
      name: "dealname",
      nextStep: "hs_next_step",
      amount: "amount",
      owner: "hubspot_owner_id",
      needed: { pipeline: "default", dealstage: "appointmentscheduled" },
    },
  },
};
