/**
 * The firewalls of a Linux, as far as their files can be read. The rules of the kernel are for
 * administrators alone, and so are the rules of ufw on most systems.
 */

import type { FirewallLook } from "./user/diagnosis.ts";

/** The folder in which systemd keeps what starts with the system. */
const STARTED = "etc/systemd/system";

/** Reads the files of the firewalls below a root. */
export async function readFirewall(root = "/"): Promise<FirewallLook> {
  const starts = async (service: string): Promise<boolean> => {
    const targets = ["multi-user.target.wants", "sysinit.target.wants"];
    const found = await Promise.all(
      targets.map((target) =>
        Deno.lstat(`${root}${STARTED}/${target}/${service}.service`).then(() => true, () => false)
      ),
    );
    return found.includes(true);
  };
  return {
    ufw: await read(`${root}etc/ufw/ufw.conf`),
    ufwRules: await read(`${root}etc/ufw/user.rules`),
    firewalld: await starts("firewalld"),
    nftables: await starts("nftables") ? await read(`${root}etc/nftables.conf`) : undefined,
  };
}

async function read(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}
