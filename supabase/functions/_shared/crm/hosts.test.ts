import { describe, expect, it } from "vitest";
import { SettingsError } from "../settings.ts";
import { CrmFailure } from "./contract.ts";
import { assertAllowed, hostRules, isAllowed } from "./hosts.ts";

const rules = hostRules(
  ["login.salesforce.com", "*.my.salesforce.com"],
  ["https://login.salesforce.com", "http://127.0.0.1:54323"],
  "crm.example.com, eu.example.com:8443",
);

describe("the hosts a provider may talk to", () => {
  it.each([
    ["a host of the provider", "https://login.salesforce.com/services/oauth2/token"],
    ["a customer's own domain at the provider", "https://acme.my.salesforce.com/x"],
    ["a loopback endpoint that was configured", "http://127.0.0.1:54323/services"],
    ["a host that the operator listed", "https://crm.example.com/x"],
    ["a listed host with its port", "https://eu.example.com:8443/x"],
  ])("allows %s", (_, address) => {
    expect(isAllowed(address, rules)).toBe(true);
  });

  it.each([
    ["any other host", "https://evil.example/"],
    ["a host that only ends alike", "https://evilmy.salesforce.com.evil.example/"],
    ["the bare suffix", "https://my.salesforce.com/"],
    ["a name that hides behind a user part", "https://login.salesforce.com@evil.example/"],
    ["credentials for an allowed host", "https://user:pass@login.salesforce.com/"],
    ["plain http to a real host", "http://login.salesforce.com/"],
    ["plain http to a listed host that is not this machine", "http://crm.example.com/"],
    ["another port of an allowed host", "https://login.salesforce.com:8443/"],
    ["another port on this machine", "http://127.0.0.1:5432/"],
    ["another spelling of this machine", "http://localhost:54323/"],
    ["another scheme", "ftp://login.salesforce.com/"],
    ["no address at all", "not an address"],
  ])("refuses %s", (_, address) => {
    expect(isAllowed(address, rules)).toBe(false);
  });

  it("says which host was refused and what to do", () => {
    const attempt = () => assertAllowed("https://evil.example/path?access_token=abc", rules, "Salesforce");
    expect(attempt).toThrow(CrmFailure);
    expect(attempt).toThrow(/evil\.example.*CRM_ALLOWED_HOSTS/);
    expect(attempt).not.toThrow(/abc/);
  });

  it("refuses a setting that is no host", () => {
    expect(() => hostRules([], [], "https://crm.example.com/path")).toThrow(SettingsError);
  });
});
