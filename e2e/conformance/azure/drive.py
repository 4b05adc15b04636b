"""Drives Azure's half of the lab's life on a running sandbox with Microsoft's own SDK for Python, unchanged, and holds
every raw answer of ARM against the SDK's models.

    python drive.py --dir DIR     DIR is the sandbox's folder (endpoints.json, world.json, ca.pem)

Provider-side steps (router, VXC) go to Megaport's API with plain requests. Ends with exit code 1 at the first step that
does not hold, or when an answer has a defect; prints the number of answers checked.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential
from azure.mgmt.network import NetworkManagementClient

import models

SCOPE = "https://management.azure.com/.default"


class Recorder:
    """Every answer of ARM, checked as it comes."""

    def __init__(self):
        self.checked = 0
        self.by_operation = {}
        self.defects = []
        self.results = {}  # Location URL -> the POST's path

    def take(self, method, url, status, headers, text):
        path = urlsplit(url).path
        where = f"{method} {path} -> {status}"
        defects = []
        location = headers.get("location")
        if method == "POST" and status == 202:
            if not location:
                defects.append("a long-running POST without a Location header")
            else:
                self.results[urlsplit(location).path] = path
        self.polling_stays(url, headers, defects)
        body = json.loads(text) if text else None
        if status >= 400:
            models.check_error(body, "$", defects)
        elif "/operations/" in path:
            if body.get("status") not in ("InProgress", "Succeeded", "Failed", "Canceled"):
                defects.append(f"$.status is {body.get('status')!r}")
            if (body.get("status") == "Failed") != ("error" in body):
                defects.append("an error object belongs to Failed and only to it")
            if "error" in body:
                models.check_error(body, "$", defects)
        elif body is not None:
            verb, of = method, path
            if "/operationResults/" in path:
                verb, of = "RESULT", self.results.get(path, path)
            shape = models.shape(verb, of)
            if shape is None:
                defects.append("no published model for this answer")
            elif isinstance(shape, models.Table):
                shape.check(body, "$", defects)
            else:
                models.check(body, shape, "$", defects)
        elif status == 200 or status == 201:
            defects.append("no body")
        self.checked += 1
        key = f"{method} {path.split('/providers/')[-1].split('/')[1] if '/providers/' in path else path}"
        self.by_operation[key] = self.by_operation.get(key, 0) + 1
        for defect in defects:
            self.defects.append(f"{where}: {defect}")

    @staticmethod
    def polling_stays(url, headers, defects):
        for name in ("location", "azure-asyncoperation"):
            link = headers.get(name)
            if link and urlsplit(link)[:2] != urlsplit(url)[:2]:
                defects.append(f"{name} leaves the host: {link}")


class Transport(RequestsTransport):
    """The SDK's own transport, with waits in the sandbox's time."""

    def __init__(self, recorder, speed, **kwargs):
        super().__init__(**kwargs)
        self.recorder = recorder
        self.speed = speed

    def send(self, request, **kwargs):
        response = super().send(request, **kwargs)
        # Long-running calls are streamed; reading the body here leaves it there for the SDK.
        response.read()
        headers = {k.lower(): v for k, v in response.headers.items()}
        self.recorder.take(request.method, request.url, response.status_code, headers, response.text())
        return response

    def sleep(self, duration):
        time.sleep(duration / self.speed)


class Megaport:
    """Megaport's API as far as the provider's side of a circuit goes."""

    def __init__(self, endpoints, world):
        self.base = endpoints["megaport"]
        self.http = requests.Session()
        self.http.verify = endpoints["ca"]
        form = {
            "grant_type": "client_credentials",
            "client_id": world["accessKey"],
            "client_secret": world["secretKey"],
        }
        answer = self.http.post(endpoints["megaportAuth"], data=form, timeout=30)
        answer.raise_for_status()
        self.http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method, path, body=None):
        answer = self.http.request(method, self.base + path, json=body, timeout=60)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json().get("data")

    def buy(self, order):
        body = {"networkDesign": [order], "discountCodes": []}
        self.call("POST", "/v3/networkdesign/validate", [order])
        first = self.call("POST", "/v4/networkdesign/buy", body)[0]
        return first.get("technicalServiceUid") or first["vxcJTechnicalServiceUid"]

    def status(self, uid):
        return self.call("GET", f"/v2/product/{uid}")["provisioningStatus"]

    def cancel(self, uid):
        self.call("POST", f"/v3/product/{uid}/action/CANCEL_NOW")


steps = 0


def held(text):
    global steps
    steps += 1
    print(f"held: {text}", flush=True)


def until(what, done):
    """Polls, at most two minutes of real time."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if done():
            return
        time.sleep(0.05)
    raise AssertionError(f"two minutes have passed: {what}")


def refused(code, call, detail=None):
    """The call must fail with this ARM error code."""
    try:
        result = call()
        if hasattr(result, "result"):
            result.result()
    except HttpResponseError as e:
        found = e.error.code if e.error else None
        assert found == code, f"expected {code}, got {e}"
        if detail:
            assert any(d.code == detail for d in e.error.details or []), f"expected detail {detail}: {e}"
        held(f"refused with {code}")
        return
    raise AssertionError(f"{code} was expected and the call succeeded")


class Life:
    def __init__(self, args):
        folder = Path(args.dir)
        self.endpoints = json.loads((folder / "endpoints.json").read_text())
        self.world = json.loads((folder / "world.json").read_text())
        os.environ["REQUESTS_CA_BUNDLE"] = self.endpoints["ca"]
        clock = requests.get(f"{self.endpoints['control']}/clock", verify=self.endpoints["ca"], timeout=30).json()
        self.speed = float(clock["speed"])
        self.recorder = Recorder()
        azure = self.world["azure"]
        self.group, self.location, self.vnet = azure["resourceGroup"], azure["location"], azure["virtualNetwork"]
        self.subscription = azure["subscriptionID"]
        self.net = self.client(azure["clientID"], azure["clientSecret"])
        self.id = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/Microsoft.Network"
        self.megaport = Megaport(self.endpoints, self.world["megaport"])

    def client(self, client_id, secret, **kwargs):
        credential = ClientSecretCredential(
            self.world["azure"]["tenantID"],
            client_id,
            secret,
            authority=self.endpoints["azureAuthority"],
            disable_instance_discovery=True,
        )
        return NetworkManagementClient(
            credential,
            self.subscription,
            base_url=self.endpoints["azure"],
            credential_scopes=[SCOPE],
            transport=Transport(self.recorder, self.speed),
            polling_interval=5,
            **kwargs,
        )

    # ---- Bodies ---------------------------------------------------------------------------------------------------

    def ref(self, path, **more):
        return {"id": f"{self.id}/{path}", **more}

    def circuit_body(self):
        provider = {
            "serviceProviderName": "Megaport",
            "peeringLocation": self.world["megaport"]["azurePeeringLocation"],
            "bandwidthInMbps": 50,
        }
        return {
            "location": self.location,
            "tags": {"owner": "conformance"},
            "sku": {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
            "properties": {"allowClassicOperations": False, "serviceProviderProperties": provider},
        }

    def peering_body(self):
        return {
            "properties": {
                "peeringType": "AzurePrivatePeering",
                "peerASN": 64600,
                "primaryPeerAddressPrefix": "169.254.101.216/30",
                "secondaryPeerAddressPrefix": "169.254.101.220/30",
                "vlanId": 100,
                "state": "Enabled",
            }
        }

    def subnet(self):
        return self.ref(f"virtualNetworks/{self.vnet}/subnets/GatewaySubnet")

    def er_gateway_body(self):
        config = {"name": "default", "properties": {"privateIPAllocationMethod": "Dynamic", "subnet": self.subnet()}}
        properties = {
            "gatewayType": "ExpressRoute",
            "sku": {"name": "ErGw1AZ", "tier": "ErGw1AZ"},
            "ipConfigurations": [config],
        }
        return {"location": self.location, "properties": properties}

    def vpn_gateway_body(self, sku="VpnGw2AZ"):
        def config(i):
            properties = {
                "privateIPAllocationMethod": "Dynamic",
                "subnet": self.subnet(),
                "publicIPAddress": self.ref(f"publicIPAddresses/pip-{i}"),
            }
            return {"name": f"ipc{i}", "properties": properties}

        def bgp(i, *addresses):
            gateway = f"{self.id}/virtualNetworkGateways/vnet-gateway"
            return {"ipconfigurationId": f"{gateway}/ipConfigurations/ipc{i}", "customBgpIpAddresses": list(addresses)}

        addresses = [bgp(0, "169.254.21.2", "169.254.22.2"), bgp(1, "169.254.21.6", "169.254.22.6")]
        properties = {
            "gatewayType": "Vpn",
            "vpnType": "RouteBased",
            "vpnGatewayGeneration": "Generation2",
            "sku": {"name": sku, "tier": sku},
            "activeActive": True,
            "enableBgp": True,
            "ipConfigurations": [config(0), config(1)],
            "bgpSettings": {"asn": 65515, "peerWeight": 0, "bgpPeeringAddresses": addresses},
        }
        return {"location": self.location, "properties": properties}

    def ipsec_body(self, i, j):
        gateway = "virtualNetworkGateways/vnet-gateway"
        custom = [
            {"ipConfigurationId": f"{self.id}/{gateway}/ipConfigurations/ipc{k}", "customBgpIpAddress": address}
            for k, address in enumerate(["169.254.21.2", "169.254.21.6"] if j == 1 else ["169.254.22.2", "169.254.22.6"])
        ]
        policy = {
            "saLifeTimeSeconds": 3600,
            "saDataSizeKilobytes": 102400000,
            "ipsecEncryption": "AES256",
            "ipsecIntegrity": "SHA256",
            "ikeEncryption": "AES256",
            "ikeIntegrity": "SHA256",
            "dhGroup": "DHGroup14",
            "pfsGroup": "PFS2048",
        }
        properties = {
            "connectionType": "IPsec",
            "connectionProtocol": "IKEv2",
            "virtualNetworkGateway1": self.ref(gateway, properties={}),
            "localNetworkGateway2": self.ref(f"localNetworkGateways/lng-{i}-{j}", properties={}),
            "sharedKey": f"conformance-key-{i}-{j}",
            "enableBgp": True,
            "connectionMode": "ResponderOnly",
            "dpdTimeoutSeconds": 45,
            "gatewayCustomBgpIpAddresses": custom,
            "ipsecPolicies": [policy],
        }
        return {"location": self.location, "properties": properties}

    # ---- Steps ----------------------------------------------------------------------------------------------------

    def run(self):
        self.credentials()
        self.world_objects()
        self.routes_and_security()
        self.public_addresses()
        self.express_route()
        self.vpn()
        self.tables()
        self.taken_down()

    def credentials(self):
        wrong = self.client(self.world["azure"]["clientID"], "wrong")
        try:
            list(wrong.virtual_networks.list_all())
        except ClientAuthenticationError as e:
            assert "AADSTS7000215" in str(e), e
            held("a wrong secret is refused by the token endpoint")
        else:
            raise AssertionError("a wrong secret was accepted")
        human = self.world["human"]["azure"]
        assert [v.name for v in self.client(human["clientID"], human["clientSecret"]).virtual_networks.list_all()]
        held("people have credentials of their own")
        old = {"api-version": "2023-11-01"}
        refused("NoRegisteredProviderFound", lambda: list(self.net.virtual_networks.list_all(params=old)))

    def world_objects(self):
        net = self.net
        assert [v.name for v in net.virtual_networks.list(self.group)] == [self.vnet]
        vnet = net.virtual_networks.get(self.group, self.vnet)
        assert vnet.properties.address_space.address_prefixes == ["172.29.0.0/16"]
        assert {s.name for s in net.subnets.list(self.group, self.vnet)} == {"vm", "GatewaySubnet"}
        nic = net.network_interfaces.get(self.group, self.world["azure"]["networkInterface"])
        assert nic.properties.ip_configurations[0].properties.private_ip_address == "172.29.0.10"
        assert list(net.network_interfaces.list_all()) and list(net.network_interfaces.list(self.group))
        providers = {p.name: p for p in net.express_route_service_providers.list()}
        assert "Washington DC2" in providers["Megaport"].properties.peering_locations
        assert {b.value_in_mbps for b in providers["Megaport"].properties.bandwidths_offered} >= {50, 10000}
        held("the start-up world and the catalogue read as the models say")
        try:
            net.express_route_circuits.get(self.group, "none")
        except ResourceNotFoundError:
            held("what does not exist is not found")
        else:
            raise AssertionError("a circuit that nobody made was found")

    def routes_and_security(self):
        net, group = self.net, self.group
        hop = {"addressPrefix": "172.29.255.0/24", "nextHopType": "VnetLocal"}
        body = {"location": self.location, "properties": {"routes": [{"name": "gw-local", "properties": hop}]}}
        table = net.route_tables.begin_create_or_update(group, "rt", body).result()
        assert table.properties.routes[0].properties.next_hop_type == "VnetLocal"
        nva = {"addressPrefix": "10.9.0.0/16", "nextHopType": "VirtualAppliance", "nextHopIpAddress": "172.29.10.4"}
        net.routes.begin_create_or_update(group, "rt", "nva", {"properties": nva}).result()
        assert {r.name for r in net.routes.list(group, "rt")} == {"gw-local", "nva"}
        assert net.routes.get(group, "rt", "nva").properties.next_hop_ip_address == "172.29.10.4"
        rule = {
            "protocol": "*",
            "sourceAddressPrefix": "*",
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": "*",
            "access": "Allow",
            "priority": 100,
            "direction": "Inbound",
        }
        body = {"location": self.location, "properties": {"securityRules": [{"name": "all", "properties": rule}]}}
        net.network_security_groups.begin_create_or_update(group, "nsg", body).result()
        subnet = net.subnets.get(group, self.vnet, "GatewaySubnet")
        body = {"properties": {"addressPrefix": subnet.properties.address_prefix, "routeTable": self.ref("routeTables/rt")}}
        attached = net.subnets.begin_create_or_update(group, self.vnet, "GatewaySubnet", body).result()
        assert attached.properties.route_table.id.endswith("/routeTables/rt")
        assert net.route_tables.get(group, "rt").properties.subnets[0].id == attached.id
        refused("InUseRouteTableCannotBeDeleted", lambda: net.route_tables.begin_delete(group, "rt"))
        guarded = {"properties": {**body["properties"], "networkSecurityGroup": self.ref("networkSecurityGroups/nsg")}}
        refused(
            "NetworkSecurityGroupCannotBeAttachedToGatewaySubnet",
            lambda: net.subnets.begin_create_or_update(group, self.vnet, "GatewaySubnet", guarded),
        )
        body["properties"].pop("routeTable")
        detached = net.subnets.begin_create_or_update(group, self.vnet, "GatewaySubnet", body).result()
        assert detached.properties.route_table is None
        net.route_tables.update_tags(group, "rt", {"tags": {"a": "b"}})
        assert list(net.route_tables.list_all()) and list(net.network_security_groups.list(group))
        net.routes.begin_delete(group, "rt", "nva").result()
        net.route_tables.begin_delete(group, "rt").result()
        net.network_security_groups.begin_delete(group, "nsg").result()
        body = {
            "location": self.location,
            "properties": {
                "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
                "subnets": [{"name": "a", "properties": {"addressPrefix": "10.1.0.0/24"}}],
            },
        }
        net.virtual_networks.begin_create_or_update(group, "other", body).result()
        net.virtual_networks.update_tags(group, "other", {"tags": {"a": "b"}})
        net.subnets.begin_delete(group, "other", "a").result()
        net.virtual_networks.begin_delete(group, "other").result()
        held("route tables, security groups, networks and subnets come and go")

    def public_addresses(self):
        body = {
            "location": self.location,
            "sku": {"name": "Standard", "tier": "Regional"},
            "zones": ["1", "2", "3"],
            "properties": {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
        }
        pollers = [
            self.net.public_ip_addresses.begin_create_or_update(self.group, f"pip-{i}", body) for i in range(2)
        ]
        addresses = {p.result().properties.ip_address for p in pollers}
        assert len(addresses) == 2 and None not in addresses
        self.net.public_ip_addresses.update_tags(self.group, "pip-0", {"tags": {"a": "b"}})
        assert len(list(self.net.public_ip_addresses.list_all())) == 2
        held(f"public addresses {sorted(addresses)}")

    def express_route(self):
        net, group = self.net, self.group
        circuits = net.express_route_circuits
        bad = self.circuit_body()
        bad["properties"]["serviceProviderProperties"]["peeringLocation"] = "Atlantis"
        refused("PeeringLocationNotSupported", lambda: circuits.begin_create_or_update(group, "to-megaport", bad))
        circuit = circuits.begin_create_or_update(group, "to-megaport", self.circuit_body()).result()
        assert circuit.properties.service_provider_provisioning_state == "NotProvisioned"
        key = circuit.properties.service_key
        held("the circuit has a service key")
        refused(
            "ExpressRouteCircuitNotProvisioned",
            lambda: net.express_route_circuit_peerings.begin_create_or_update(
                group, "to-megaport", "AzurePrivatePeering", self.peering_body()
            ),
        )
        gateway = net.virtual_network_gateways.begin_create_or_update(group, "ergw", self.er_gateway_body())
        refused(
            "RetryableError",
            lambda: self.once().virtual_network_gateways.begin_create_or_update(
                group, "vnet-gateway", self.vpn_gateway_body()
            ),
            "ReferencedResourceNotProvisioned",
        )
        self.provider_side(key)
        until("the circuit reads Provisioned", lambda: self.provider_state() == "Provisioned")
        held("the provider has provisioned the circuit")
        peerings = net.express_route_circuit_peerings
        peering = peerings.begin_create_or_update(
            group, "to-megaport", "AzurePrivatePeering", self.peering_body()
        ).result()
        assert peering.properties.azure_asn == 12076
        # Azure and AWS sides take part in every update of a circuit: a refresh is the whole body put back.
        again = circuits.begin_create_or_update(group, "to-megaport", circuits.get(group, "to-megaport")).result()
        assert len(again.properties.peerings) == 1
        assert [p.name for p in peerings.list(group, "to-megaport")] == ["AzurePrivatePeering"]
        refused_etag = circuit.etag
        refused(
            "PreconditionFailed",
            lambda: circuits.begin_create_or_update(
                group, "to-megaport", again, headers={"If-Match": refused_etag}
            ),
            "PreconditionFailedEtagMismatch",
        )
        self.authorizations()
        assert gateway.result().properties.bgp_settings.asn == 65515
        body = {
            "location": self.location,
            "properties": {
                "connectionType": "ExpressRoute",
                "virtualNetworkGateway1": self.ref("virtualNetworkGateways/ergw", properties={}),
                "peer": self.ref("expressRouteCircuits/to-megaport"),
                "routingWeight": 0,
            },
        }
        connection = net.virtual_network_gateway_connections.begin_create_or_update(group, "er", body).result()
        assert connection.properties.peer.id.endswith("/to-megaport")
        circuits.update_tags(group, "to-megaport", {"tags": {"owner": "tags"}})
        assert [c.tags["owner"] for c in circuits.list(group)] == ["tags"] and list(circuits.list_all())
        held("peering, gateway and ExpressRoute connection are there")

    def once(self):
        """A client that does not retry: HTTP 429 here is a dependency's state, not throttling."""
        azure = self.world["azure"]
        return self.client(azure["clientID"], azure["clientSecret"], retry_total=0)

    def authorizations(self):
        ops = self.net.express_route_circuit_authorizations
        ops.begin_create_or_update(self.group, "to-megaport", "guest", {"properties": {}}).result()
        assert ops.get(self.group, "to-megaport", "guest").properties.authorization_use_status == "Available"
        assert ops.list_keys(self.group, "to-megaport", "guest").authorization_key
        assert [a.name for a in ops.list(self.group, "to-megaport")] == ["guest"]
        ops.begin_delete(self.group, "to-megaport", "guest").result()
        held("authorizations come and go")

    def provider_side(self, key):
        m = self.megaport
        order = {
            "productType": "MCR2",
            "productName": "lab-a",
            "locationId": self.world["megaport"]["locationID"],
            "portSpeed": 1000,
            "term": 1,
            "costCentre": "",
            "config": {"mcrAsn": 64600},
        }
        self.mcr = m.buy(order)
        until("the router is live", lambda: m.status(self.mcr) == "LIVE")
        ports = m.call("GET", f"/v2/secure/azure/{key}")["megaports"]
        primary = next(p for p in ports if p["type"] == "primary")
        session = {"peerAsn": 12076, "localIpAddress": "169.254.101.217", "peerIpAddress": "169.254.101.218"}
        interface = {"vlan": 100, "ipAddresses": ["169.254.101.217/30"], "bgpConnections": [session]}
        vxc = {
            "productName": "to-azure",
            "rateLimit": 50,
            "term": 1,
            "aEnd": {"vlan": 0, "partnerConfig": {"interfaces": [interface]}},
            "bEnd": {
                "productUid": primary["productUid"],
                "partnerConfig": {"connectType": "AZURE", "serviceKey": key, "peers": []},
            },
        }
        self.vxc = m.buy({"productUid": self.mcr, "associatedVxcs": [vxc]})
        until("the VXC is live", lambda: m.status(self.vxc) == "LIVE")

    def provider_state(self):
        circuit = self.net.express_route_circuits.get(self.group, "to-megaport")
        return circuit.properties.service_provider_provisioning_state

    def vpn(self):
        net, group = self.net, self.group
        gateways, connections = net.virtual_network_gateways, net.virtual_network_gateway_connections
        refused(
            "NonAzSkusNotAllowedForVPNGateway",
            lambda: gateways.begin_create_or_update(group, "vnet-gateway", self.vpn_gateway_body("VpnGw2")),
        )
        gateway = gateways.begin_create_or_update(group, "vnet-gateway", self.vpn_gateway_body()).result()
        assert gateway.properties.bgp_settings.bgp_peering_address == "172.29.255.14,172.29.255.15"
        held("the VPN gateway has its addresses")
        octet = 10
        for i in range(2):
            for j in (1, 2):
                third = 20 + j
                body = {
                    "location": self.location,
                    "properties": {
                        "gatewayIpAddress": f"203.0.113.{octet}",
                        "localNetworkAddressSpace": {"addressPrefixes": []},
                        "bgpSettings": {"asn": 64900, "bgpPeeringAddress": f"169.254.{third}.{1 + 4 * i}", "peerWeight": 0},
                    },
                }
                octet += 1
                net.local_network_gateways.begin_create_or_update(group, f"lng-{i}-{j}", body).result()
                made = connections.begin_create_or_update(group, f"ipsec-{i}-{j}", self.ipsec_body(i, j)).result()
                assert made.properties.shared_key is None, "keys are not read back"
        key = connections.get_shared_key(group, "ipsec-0-1")
        assert key.value == "conformance-key-0-1"
        connections.begin_set_shared_key(group, "ipsec-0-1", {"value": "another-key-0-1"}).result()
        assert connections.get_shared_key(group, "ipsec-0-1").value == "another-key-0-1"
        incomplete = self.ipsec_body(1, 2)
        incomplete["properties"]["ipsecPolicies"][0].pop("pfsGroup")
        refused("IpsecPolicyIncomplete", lambda: connections.begin_create_or_update(group, "ipsec-1-2", incomplete))
        assert len(list(gateways.list_connections(group, "vnet-gateway"))) == 4
        assert len(list(connections.list(group))) == 5
        net.local_network_gateways.update_tags(group, "lng-0-1", {"tags": {"a": "b"}})
        assert len(list(net.local_network_gateways.list(group))) == 4
        gateways.begin_update_tags(group, "vnet-gateway", {"tags": {"owner": "x"}}).result()
        connections.begin_update_tags(group, "ipsec-0-1", {"tags": {"owner": "x"}}).result()
        assert {g.name for g in gateways.list(group)} == {"ergw", "vnet-gateway"}
        held("four IPsec connections, their keys and tags")

    def tables(self):
        net, group = self.net, self.group
        gateways, circuits = net.virtual_network_gateways, net.express_route_circuits
        until("the edge routers are connected", self.edges_connected)
        peers = gateways.begin_get_bgp_peer_status(group, "ergw").result().value
        assert {p.neighbor for p in peers if p.asn == 65515} >= {"172.29.255.14", "172.29.255.15"}
        routes = gateways.begin_get_learned_routes(group, "ergw").result().value
        own = [r for r in routes if r.origin == "Network"]
        assert own and own[0].network == "172.29.0.0/16" and own[0].weight == 32768
        gateways.begin_get_learned_routes(group, "vnet-gateway").result()
        gateways.begin_get_bgp_peer_status(group, "vnet-gateway").result()
        gateways.begin_get_advertised_routes(group, "ergw", peer="172.29.255.4").result()
        peering = "AzurePrivatePeering"
        for port in ("primary", "secondary"):
            rows = circuits.begin_list_routes_table(group, "to-megaport", peering, port).result().value
            # Classful masks are left out; of the two gateway instances one is marked.
            own = sorted(r.next_hop for r in rows if r.network == "172.29.0.0" and r.path == "65515")
            assert len(own) == 2 and len([h for h in own if h.endswith("*")]) == 1, own
            assert {h.rstrip("*") for h in own} == {"172.29.255.12", "172.29.255.13"}, own
            circuits.begin_list_routes_table_summary(group, "to-megaport", peering, port).result()
            circuits.begin_list_arp_table(group, "to-megaport", peering, port).result()
        circuits.get_stats(group, "to-megaport")
        circuits.get_peering_stats(group, "to-megaport", peering)
        nic = self.world["azure"]["networkInterface"]
        rows = net.network_interfaces.begin_get_effective_route_table(group, nic).result().value
        assert any(r.next_hop_type == "VnetLocal" and r.address_prefix == ["172.29.0.0/16"] for r in rows)
        er = net.virtual_network_gateway_connections.get(group, "er")
        assert er.properties.connection_status == "Connected", er.properties.connection_status
        held("tables of gateways, circuit and interface")

    def edges_connected(self):
        peers = self.net.virtual_network_gateways.begin_get_bgp_peer_status(self.group, "ergw").result().value
        return len([p for p in peers if p.asn == 12076 and p.state == "Connected"]) == 2

    def taken_down(self):
        net, group = self.net, self.group
        connections, circuits = net.virtual_network_gateway_connections, net.express_route_circuits
        refused("InUseVirtualNetworkGatewayCannotBeDeleted", lambda: net.virtual_network_gateways.begin_delete(group, "ergw"))
        for i in range(2):
            for j in (1, 2):
                connections.begin_delete(group, f"ipsec-{i}-{j}").result()
                net.local_network_gateways.begin_delete(group, f"lng-{i}-{j}").result()
        refused("InUseExpressRouteCircuitPeeringCannotBeDeleted", lambda: self.delete_peering())
        connections.begin_delete(group, "er").result()
        self.delete_peering().result()
        self.megaport.cancel(self.vxc)
        until("the VXC is gone", lambda: self.megaport.status(self.vxc) == "DECOMMISSIONED")
        refused("ConflictError", lambda: circuits.begin_delete(group, "to-megaport"))
        until("a refresh shows that the provider has let go", self.refreshed)
        circuits.begin_delete(group, "to-megaport").result()
        circuits.begin_delete(group, "to-megaport").result()
        held("the circuit went after its refresh; deleting it again is no error")
        net.virtual_network_gateways.begin_delete(group, "ergw").result()
        net.virtual_network_gateways.begin_delete(group, "vnet-gateway").result()
        for i in range(2):
            self.delete_public_address(f"pip-{i}")
        self.megaport.cancel(self.mcr)
        until("the router is gone", lambda: self.megaport.status(self.mcr) == "DECOMMISSIONED")
        live = requests.get(f"{self.endpoints['control']}/live", verify=self.endpoints["ca"], timeout=30).json()
        assert [o for o in live if o["provider"] == "azure"] == [], live
        held("nothing is left")

    def delete_peering(self):
        return self.net.express_route_circuit_peerings.begin_delete(self.group, "to-megaport", "AzurePrivatePeering")

    def refreshed(self):
        circuits = self.net.express_route_circuits
        body = circuits.get(self.group, "to-megaport")
        circuit = circuits.begin_create_or_update(self.group, "to-megaport", body).result()
        return circuit.properties.service_provider_provisioning_state == "NotProvisioned"

    def delete_public_address(self, name):
        """Addresses stay in use for a moment after their gateway."""

        def gone():
            try:
                self.net.public_ip_addresses.begin_delete(self.group, name).result()
            except HttpResponseError as e:
                assert e.error.code == "PublicIPAddressCannotBeDeleted", e
                return False
            return True

        until(f"{name} is free", gone)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True, help="the sandbox's folder")
    args = parser.parse_args()
    models.self_test()
    life = Life(args)
    try:
        life.run()
    finally:
        recorder = life.recorder
        for operation, count in sorted(recorder.by_operation.items()):
            print(f"  {count:5} {operation}")
        for defect in sorted(set(recorder.defects)):
            print(f"DEFECT: {defect}")
        print(f"{recorder.checked} answers checked, {len(recorder.defects)} defects, {steps} steps held", flush=True)
    return 1 if recorder.defects else 0


if __name__ == "__main__":
    sys.exit(main())
