import { BlockList, isIPv4, isIPv6 } from 'node:net';

/**
 * Everything outside of the public internet (IANA special-purpose registry), and what looks public but is the
 * host's own cloud.
 */
const SPECIAL_IPV4 = subnets('ipv4', [
  '0.0.0.0/8', // this host and network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT; Alibaba's metadata service
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // Azure's host services, in spite of the address
  '169.254.0.0/16', // link-local; the metadata service of most clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments; Oracle's metadata service
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarking
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
]);

/** Only 2000::/3 is given out as public; these parts of it are not. */
const GLOBAL_IPV6 = subnets('ipv6', ['2000::/3']);
const SPECIAL_IPV6 = subnets('ipv6', [
  '2001::/23', // protocol assignments: Teredo, benchmarking, ORCHID
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4, which leads to any IPv4 address
  '3fff::/20', // documentation
]);
/** Addresses whose last 32 bits are the IPv4 address that they lead to: IPv4-mapped and NAT64. */
const EMBEDDED_IPV4 = subnets('ipv6', ['::ffff:0:0/96', '64:ff9b::/96']);

/** Names that lead to one address wherever they are asked for (RFC 6761, section 6.3; cloud vendors). */
const LOCAL_NAME = /^(?:.+\.)?localhost$|^localhost\.localdomain$|^ip6-(?:localhost|loopback)$/;
const METADATA_NAME = /^(?:metadata|metadata\.google\.internal|metadata\.goog|instance-data(?:\.ec2\.internal)?)$/;
const LOOPBACK = '127.0.0.1';
const METADATA = '169.254.169.254';

/**
 * Whether an IP address, in the usual notation, belongs to the public internet. Loopback, private, link-local,
 * multicast, reserved, documentation and cloud metadata addresses do not, in any of their IPv6 forms; neither does a
 * text that is no address. A NAT64 prefix of a network's own cannot be told from public addresses.
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !SPECIAL_IPV4.check(address, 'ipv4');
  // A zone ("%eth0") makes sense on a link only.
  if (!isIPv6(address) || address.includes('%')) return false;
  if (EMBEDDED_IPV4.check(address, 'ipv6')) return isPublicAddress(lastIPv4(address));
  return GLOBAL_IPV6.check(address, 'ipv6') && !SPECIAL_IPV6.check(address, 'ipv6');
}

/**
 * The address that a URL's host stands for without asking the DNS: an IP address in any spelling, or a name that
 * always means this host (`localhost`) or a cloud's metadata service. `undefined` for all other names.
 */
export function literalAddress(url: URL): string | undefined {
  return hostAddress(url.hostname);
}

/** As {@link literalAddress}, for the host of a parsed URL, with or without the brackets of IPv6. */
export function hostAddress(hostname: string): string | undefined {
  const host = hostname.replace(/^\[|\]$|\.+$/g, '').toLowerCase();
  if (isIPv4(host) || isIPv6(host)) return host;
  if (LOCAL_NAME.test(host)) return LOOPBACK;
  return METADATA_NAME.test(host) ? METADATA : undefined;
}

function subnets(family: 'ipv4' | 'ipv6', list: readonly string[]): BlockList {
  const block = new BlockList();
  for (const subnet of list) {
    const [network = '', bits] = subnet.split('/');
    block.addSubnet(network, Number(bits), family);
  }
  return block;
}

function lastIPv4(address: string): string {
  const dotted = address.slice(address.lastIndexOf(':') + 1);
  if (isIPv4(dotted)) return dotted;
  // The URL parser writes all IPv6 addresses alike; the last two groups may hide in the "::".
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(':');
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group || '0', 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
