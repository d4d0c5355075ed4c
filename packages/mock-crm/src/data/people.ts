import { en, Faker } from "@faker-js/faker";
import { between, pick, type Random } from "../shared/random.ts";
import { mailName } from "../shared/text.ts";

export interface Person {
  firstName: string;
  lastName: string;
  title: string;
  email: string;
  phone: string | null;
}

const AREA_CODES = ["202", "212", "303", "312", "404", "415", "503", "617", "702", "808"];

/** Invented people, the same for one seed; each gets an e-mail address nobody else from this source has. */
export class People {
  private readonly faker: Faker;
  private readonly random: Random;
  private readonly taken = new Set<string>();

  constructor(seed: number, random: Random) {
    this.faker = new Faker({ locale: en, seed });
    this.random = random;
  }

  next(domain: string): Person {
    const firstName = this.faker.person.firstName();
    const lastName = this.faker.person.lastName();
    return {
      firstName,
      lastName,
      title: this.faker.person.jobTitle(),
      email: this.freeAddress(`${mailName(firstName)}.${mailName(lastName)}`, domain),
      phone: this.random() < 0.1 ? null : phoneNumber(this.random),
    };
  }

  private freeAddress(local: string, domain: string): string {
    let address = `${local}@${domain}`;
    for (let number = 2; this.taken.has(address); number += 1) address = `${local}${number}@${domain}`;
    this.taken.add(address);
    return address;
  }
}

/** Numbers from the range kept for fiction, written in the ways people write them. */
export function phoneNumber(random: Random): string {
  const area = pick(random, AREA_CODES);
  const line = String(between(random, 100, 199)).padStart(4, "0");
  const forms = [`(${area}) 555-${line}`, `+1 ${area} 555 ${line}`, `${area}-555-${line}`];
  return pick(random, forms);
}

/** One company name per index; later ones differ by a number so that domains stay apart. */
export class Companies {
  private readonly faker: Faker;

  constructor(seed: number) {
    this.faker = new Faker({ locale: en, seed: seed + 1 });
  }

  next(index: number): { name: string; domain: string; city: string; country: string } {
    const word = this.faker.person.lastName();
    const name = `${word} ${this.faker.word.noun({ length: { min: 4, max: 8 } })} ${index + 1}`;
    return {
      name,
      domain: `${mailName(word)}-${index + 1}.example`,
      city: this.faker.location.city(),
      country: this.faker.location.country(),
    };
  }
}
