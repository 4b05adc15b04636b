"""Drives AWS's half of the lab's life on a running sandbox with boto3, unchanged, and holds every raw answer of EC2,
Direct Connect and STS against the models that botocore ships.

    python drive.py --dir DIR     DIR is the sandbox's folder (endpoints.json, world.json, ca.pem)

The partner's steps (router, VXCs) go to Megaport's API with plain requests. Ends with exit code 1 at the first step that
does not hold, or when an answer has a defect; prints the number of answers checked.
"""

import argparse
import collections
import contextlib
import copy
import json
import os
import ssl
import sys
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

import models

INSIDE = [["169.254.21.0/30", "169.254.22.0/30"], ["169.254.21.4/30", "169.254.22.4/30"]]
# Megaport's hosted connection port at the lab's location is told by its type; the red AWS port by world.json.
KEYS = [["Azure.Side_Key11", "Azure.Side_Key12"], ["Azure.Side_Key21", "Azure.Side_Key22"]]


def held(what):
    print(f"held: {what}", flush=True)


def until(what, done):
    """Polls, at most two minutes of real time; answers what `done` answers."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        value = done()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"two minutes have passed: {what}")


def refused(code, call, words="", status=None):
    """The call must fail with this code (and these words in the message)."""
    try:
        call()
    except ClientError as e:
        found, message = e.response["Error"]["Code"], e.response["Error"]["Message"]
        assert found == code and words in message, f"expected {code} {words!r}, got {e}"
        if status:
            assert e.response["ResponseMetadata"]["HTTPStatusCode"] == status, e.response
        held(f"refused with {code} {words}".rstrip())
        return
    raise AssertionError(f"{code} was expected and the call succeeded")


def gone(read):
    """Whether a deleted object no longer shows: it lingers only so long, and this machine may be slow."""
    try:
        read()
    except ClientError as e:
        error = e.response["Error"]
        if error["Code"].endswith(".NotFound") or "does not exist" in error["Message"]:
            return True
        raise
    return False


class Recorder:
    """Every answer, checked as it comes; and one accepted input of every operation."""

    def __init__(self):
        self.checked = 0
        self.by_operation = collections.Counter()
        self.defects = []
        self.accepted = {}
        self.raw = {}
        self.validator = ParamValidator()

    def watch(self, client):
        service = client.meta.service_model
        events, id_ = client.meta.events, service.service_id.hyphenize()
        state = {}

        def provide(params, model, **_):
            state["input"] = (model.name, copy.deepcopy(params))

        def took(response_dict, **kwargs):
            name, params = state["input"]
            status = response_dict["status_code"]
            headers = {k.lower(): v for k, v in response_dict["headers"].items()}
            self.take(service, name, params, status, headers, response_dict["body"])

        events.register(f"provide-client-params.{id_}.*", provide)
        events.register(f"response-received.{id_}.*", took)
        return client

    def take(self, service, name, params, status, headers, body):
        defects = models.check(service, name, status, headers, body)
        shape = service.operation_model(name).input_shape
        if status < 300:
            report = self.validator.validate(params, shape) if shape else None
            if report and report.has_errors():
                defects.append(f"accepted what the validator refuses: {report.generate_report()}")
            self.accepted.setdefault((service.service_name, name), params)
            self.raw[service.service_name, name] = (service, status, headers, body)
        self.checked += 1
        self.by_operation[f"{service.service_name}.{name}"] += 1
        for d in defects:
            where = f"{service.service_name}.{name} -> {status}: {d}"
            self.defects.append(where)
            print(f"DEFECT {where}", flush=True)


class Http:
    """Plain HTTPS with the sandbox's CA."""

    def __init__(self, ca):
        self.context = ssl.create_default_context(cafile=ca)

    def call(self, method, url, body=None, headers=None):
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
        if data and "content-type" not in {k.lower() for k in request.headers}:
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, context=self.context, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None


class Megaport:
    """Megaport's API as far as a Direct Connect partner's side goes."""

    def __init__(self, http, endpoints, world):
        self.http, self.base = http, endpoints["megaport"]
        form = {
            "grant_type": "client_credentials",
            "client_id": world["accessKey"],
            "client_secret": world["secretKey"],
        }
        body = urllib.parse.urlencode(form).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        token = http.call("POST", endpoints["megaportAuth"], body, kind)["access_token"]
        self.headers = {"authorization": f"Bearer {token}"}

    def call(self, method, path, body=None):
        return (self.http.call(method, self.base + path, body, dict(self.headers)) or {}).get("data")

    def buy(self, order):
        first = self.call("POST", "/v4/networkdesign/buy", {"networkDesign": [order], "discountCodes": []})[0]
        return first.get("technicalServiceUid") or first["vxcJTechnicalServiceUid"]

    def live(self, uid):
        return self.call("GET", f"/v2/product/{uid}")["provisioningStatus"] == "LIVE"

    def gone(self, uid):
        return self.call("GET", f"/v2/product/{uid}")["provisioningStatus"] == "DECOMMISSIONED"

    def cancel(self, uid):
        self.call("POST", f"/v3/product/{uid}/action/CANCEL_NOW")


class Life:
    def __init__(self, folder):
        self.endpoints = json.loads((folder / "endpoints.json").read_text())
        self.world = json.loads((folder / "world.json").read_text())
        self.aws = self.world["aws"]
        self.account = self.aws["accountID"]
        self.http = Http(self.endpoints["ca"])
        self.recorder = Recorder()
        self.ec2, self.dx, self.sts = (self.client(s) for s in ("ec2", "directconnect", "sts"))

    def control(self, path):
        return self.http.call("GET", self.endpoints["control"] + path)

    @contextlib.contextmanager
    def time_stands_still(self):
        """For what must happen within a state that lasts only some simulated seconds, however slow this machine is."""
        clock = self.endpoints["control"] + "/clock"
        self.http.call("PUT", clock, {"paused": True})
        try:
            yield
        finally:
            self.http.call("PUT", clock, {"paused": False})

    def client(self, service, keys=None, region=None, **config):
        keys = keys or self.aws
        return self.recorder.watch(
            boto3.client(
                service,
                region_name=region or self.aws["region"],
                endpoint_url=self.endpoints["aws"],
                verify=self.endpoints["ca"],
                aws_access_key_id=keys["accessKeyID"],
                aws_secret_access_key=keys["secretAccessKey"],
                aws_session_token=keys.get("sessionToken"),
                config=Config(retries={"total_max_attempts": 4, "mode": "standard"}, **config),
            )
        )

    # ---- steps ----------------------------------------------------------------------------------------------------

    def run(self):
        before = self.control("/diff")
        self.identities()
        self.start_up_world()
        self.gateway()
        self.direct_connect_gateway()
        self.hosted_interface()
        self.customer_gateways()
        self.connections()
        self.tunnels()
        self.associated()
        self.failover_test()
        self.tags_and_filters()
        self.hosted_connection()
        self.wrong_orders()
        self.teardown()
        self.mutations()
        live = [o for o in self.control("/live") if o["provider"] == "aws"]
        assert live == [], live
        ledger = [e for e in self.control("/ledger") if e["provider"] == "aws"]
        assert len(ledger) == 2 and all(e["endedAt"] for e in ledger), ledger
        assert self.control("/diff") == before
        held("nothing is left, two VPN connections were bought and ended, the world is as it was")

    def identities(self):
        me = self.sts.get_caller_identity()
        assert (me["Account"], me["Arn"].split("/")[-1]) == (self.account, "causeway"), me
        role = {"RoleArn": f"arn:aws:iam::{self.account}:role/causeway", "RoleSessionName": "conformance"}
        made = self.sts.assume_role(**role)["Credentials"]
        session = {
            "accessKeyID": made["AccessKeyId"],
            "secretAccessKey": made["SecretAccessKey"],
            "sessionToken": made["SessionToken"],
        }
        assert "assumed-role/causeway/conformance" in self.client("sts", session).get_caller_identity()["Arn"]
        self.client("ec2", session).describe_vpcs()
        token = {"WebIdentityToken": "aaaa.bbbb.cccc"}
        self.sts.assume_role_with_web_identity(**role, **token)
        human = self.client("sts", self.world["human"]["aws"]).get_caller_identity()
        assert human["Arn"].endswith("user/human"), human
        refused("AccessDenied", lambda: self.sts.assume_role(**{**role, "RoleArn": role["RoleArn"] + "2"}))
        held("STS says who is calling, and lends credentials")
        nobody = {"accessKeyID": "AKIANOBODY0000000000", "secretAccessKey": "x"}
        refused("AuthFailure", self.client("ec2", nobody).describe_vpcs, status=401)
        refused("UnrecognizedClientException", self.client("directconnect", nobody).describe_connections)
        refused("InvalidClientTokenId", self.client("sts", nobody).get_caller_identity)
        wrong = {**self.aws, "secretAccessKey": "wrong"}
        refused("SignatureDoesNotMatch", self.client("ec2", wrong).describe_vpcs)
        refused("InvalidSignatureException", self.client("directconnect", wrong).describe_connections)
        refused("AuthFailure", self.client("ec2", region="mars-north-1").describe_vpcs)
        refused("InvalidAction", self.ec2.describe_transit_gateways)
        refused("UnknownOperationException", self.dx.describe_lags)

    def start_up_world(self):
        ec2, vpc = self.ec2, self.aws["vpcID"]
        [found] = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
        assert found["CidrBlock"] == "172.16.0.0/16", found
        [subnet] = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
        assert subnet["SubnetId"] == self.aws["subnetID"], subnet
        pages = ec2.get_paginator("describe_route_tables").paginate(PaginationConfig={"PageSize": 5})
        tables = [t for page in pages for t in page["RouteTables"]]
        assert self.aws["routeTableID"] in [t["RouteTableId"] for t in tables], tables
        [host] = ec2.describe_instances()["Reservations"]
        assert host["Instances"][0]["PrivateIpAddress"] == "172.16.0.10", host
        assert self.aws["region"] in [r["RegionName"] for r in ec2.describe_regions()["Regions"]]
        assert len(ec2.describe_availability_zones()["AvailabilityZones"]) >= 2
        assert self.dx.describe_locations()["locations"]
        refused("DryRunOperation", lambda: ec2.describe_vpcs(DryRun=True), status=412)
        refused("DryRunOperation", lambda: ec2.create_vpn_gateway(Type="ipsec.1", DryRun=True), status=412)
        refused("InvalidVpcID.NotFound", lambda: ec2.describe_vpcs(VpcIds=["vpc-00000000000000000"]))
        refused("InvalidParameterValue", lambda: ec2.describe_vpcs(Filters=[{"Name": "colour", "Values": ["red"]}]))
        held("the start-up world reads as the models say")

    @staticmethod
    def tags(kind, name):
        tags = [{"Key": "owner", "Value": "conformance"}, {"Key": "Name", "Value": name}]
        return [{"ResourceType": kind, "Tags": tags}]

    def vgw_now(self):
        [v] = self.ec2.describe_vpn_gateways(VpnGatewayIds=[self.vgw])["VpnGateways"]
        return v

    def attachment(self):
        return self.vgw_now()["VpcAttachments"][-1]["State"]

    def visible(self, find):
        """EC2 may not know yet what it has just made."""

        def done():
            try:
                return find()
            except ClientError as e:
                if e.response["Error"]["Code"].endswith(".NotFound"):
                    return None
                raise

        return until("visible", done)

    def gateway(self):
        ec2, vpc, table = self.ec2, self.aws["vpcID"], self.aws["routeTableID"]
        refused("InvalidParameterValue", lambda: ec2.create_vpn_gateway(Type="ipsec.1", AmazonSideAsn=7224))
        made = ec2.create_vpn_gateway(
            Type="ipsec.1", AmazonSideAsn=64900, TagSpecifications=self.tags("vpn-gateway", "vgw")
        )["VpnGateway"]
        self.vgw = made["VpnGatewayId"]
        assert made["AmazonSideAsn"] == 64900
        self.visible(lambda: self.vgw_now()["State"] == "available")
        propagation = {"GatewayId": self.vgw, "RouteTableId": table}
        with self.time_stands_still():
            attached = ec2.attach_vpn_gateway(VpnGatewayId=self.vgw, VpcId=vpc)["VpcAttachment"]
            assert attached["State"] == "attaching", attached
            refused("Gateway.NotAttached", lambda: ec2.enable_vgw_route_propagation(**propagation))
        until("attached", lambda: self.vgw_now()["VpcAttachments"] and self.attachment() == "attached")
        ec2.enable_vgw_route_propagation(**propagation)
        shown = lambda: ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["PropagatingVgws"]
        until("propagation shows", lambda: shown() == [{"GatewayId": self.vgw}])
        assert self.vgw in [v["virtualGatewayId"] for v in self.dx.describe_virtual_gateways()["virtualGateways"]]
        held("the VGW is attached and propagates")

    def dxgw_now(self):
        return self.dx.describe_direct_connect_gateways(directConnectGatewayId=self.dxgw)["directConnectGateways"]

    def direct_connect_gateway(self):
        dx = self.dx
        words = "ASN"
        refused(
            "DirectConnectClientException",
            lambda: dx.create_direct_connect_gateway(directConnectGatewayName="x", amazonSideAsn=7224),
            words,
        )
        made = dx.create_direct_connect_gateway(
            directConnectGatewayName="lab", amazonSideAsn=64901, tags=[{"key": "owner", "value": "conformance"}]
        )["directConnectGateway"]
        self.dxgw = made["directConnectGatewayId"]
        until("DXGW", lambda: [g["directConnectGatewayState"] for g in self.dxgw_now()] == ["available"])
        dx.update_direct_connect_gateway(directConnectGatewayId=self.dxgw, newDirectConnectGatewayName="dxgw")
        made = dx.create_direct_connect_gateway_association(
            directConnectGatewayId=self.dxgw,
            gatewayId=self.vgw,
            addAllowedPrefixesToDirectConnectGateway=[{"cidr": "172.16.0.0/16"}],
        )["directConnectGatewayAssociation"]
        self.association = made["associationId"]
        assert made["associationState"] == "associating", made
        held("the association has begun")

    def vif_now(self):
        [v] = self.dx.describe_virtual_interfaces(virtualInterfaceId=self.vif)["virtualInterfaces"]
        return v

    def hosted_interface(self):
        dx = self.dx
        self.megaport = Megaport(self.http, self.endpoints, self.world["megaport"])
        self.router = self.megaport.buy(
            {
                "productType": "MCR2",
                "productName": "a",
                "locationId": self.world["megaport"]["locationID"],
                "portSpeed": 1000,
                "term": 1,
                "costCentre": "",
                "config": {"mcrAsn": 64600, "diversityZone": "red"},
            }
        )
        until("router", lambda: self.megaport.live(self.router))
        key = "Bgp.Key.Of.The.Lab"
        session = {
            "peerAsn": 64901,
            "localIpAddress": "169.254.50.218",
            "peerIpAddress": "169.254.50.217",
            "password": key,
            "shutdown": False,
            "bfdEnabled": True,
        }
        interface = {"ipAddresses": ["169.254.50.218/30"], "bfd": {}, "bgpConnections": [session]}
        far = {
            "connectType": "AWS",
            "type": "private",
            "ownerAccount": self.account,
            "name": "lab-vif",
            "asn": 64600,
            "amazonAsn": 64901,
            "customerIpAddress": "169.254.50.218/30",
            "amazonIpAddress": "169.254.50.217/30",
            "authKey": key,
        }
        self.vxc = self.megaport.buy(
            {
                "productUid": self.router,
                "associatedVxcs": [
                    {
                        "productName": "to-aws",
                        "rateLimit": 50,
                        "term": 1,
                        "aEnd": {"vlan": 0, "partnerConfig": {"interfaces": [interface]}},
                        "bEnd": {"productUid": self.world["megaport"]["awsPortUIDs"][0], "partnerConfig": far},
                    }
                ],
            }
        )
        until("VXC", lambda: self.megaport.live(self.vxc))
        [vif] = until("VIF", lambda: dx.describe_virtual_interfaces()["virtualInterfaces"])
        assert vif["virtualInterfaceState"] == "confirming" and vif["amazonAddress"] == far["amazonIpAddress"], vif
        assert vif["asnLong"] == 64600 and vif["authKey"] == key
        self.vif = vif["virtualInterfaceId"]
        failure = "DirectConnectClientException"
        confirm = dx.confirm_private_virtual_interface
        refused(failure, lambda: confirm(virtualInterfaceId=self.vif), "Exactly one")
        refused(failure, lambda: confirm(virtualInterfaceId="dxvif-none", directConnectGatewayId=self.dxgw), "does not exist")
        got = confirm(virtualInterfaceId=self.vif, directConnectGatewayId=self.dxgw)
        assert got["virtualInterfaceState"] == "pending", got
        until("provisioned", lambda: self.vif_now()["virtualInterfaceState"] in ("available", "down"))
        refused(failure, lambda: confirm(virtualInterfaceId=self.vif, directConnectGatewayId=self.dxgw), "cannot be confirmed")
        arn = f"arn:aws:directconnect:{self.aws['region']}:{self.account}:dxvif/{self.vif}"
        dx.tag_resource(resourceArn=arn, tags=[{"key": "owner", "value": "conformance"}])
        until("tag", lambda: "tags" in dx.describe_tags(resourceArns=[arn])["resourceTags"][0])
        attachment = lambda: dx.describe_direct_connect_gateway_attachments(directConnectGatewayId=self.dxgw)
        until("attached", lambda: attachment()["directConnectGatewayAttachments"][0]["attachmentState"] == "attached")
        dx.update_virtual_interface_attributes(virtualInterfaceId=self.vif, virtualInterfaceName="lab")
        until("session", lambda: self.vif_now()["bgpPeers"][0]["bgpStatus"] == "up")
        held("the hosted VIF is confirmed and its BGP session is up")

    def customer_gateways(self):
        ec2 = self.ec2
        self.cgws = []
        for i, address in enumerate(["203.0.113.200", "203.0.113.201"]):
            wanted = {
                "Type": "ipsec.1",
                "BgpAsn": 65515,
                "IpAddress": address,
                "DeviceName": f"conformance-{i}",
                "TagSpecifications": self.tags("customer-gateway", f"cgw-{i}"),
            }
            made = ec2.create_customer_gateway(**wanted)["CustomerGateway"]
            again = ec2.create_customer_gateway(**{**wanted, "TagSpecifications": []})["CustomerGateway"]
            assert again["CustomerGatewayId"] == made["CustomerGatewayId"] and len(again["Tags"]) == 2, again
            self.cgws.append(made["CustomerGatewayId"])
        ids = {"CustomerGatewayIds": self.cgws}
        self.visible(lambda: ec2.describe_customer_gateways(**ids))
        waiter = ec2.get_waiter("customer_gateway_available")
        waiter.wait(**ids, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        held("the same customer gateway twice is one")

    @staticmethod
    def strict(i, j):
        def values(*list_):
            return [{"Value": v} for v in list_]

        return {
            "TunnelInsideCidr": INSIDE[i][j],
            "PreSharedKey": KEYS[i][j],
            "Phase1LifetimeSeconds": 28800,
            "Phase2LifetimeSeconds": 3600,
            "Phase1EncryptionAlgorithms": values("AES256"),
            "Phase2EncryptionAlgorithms": values("AES256"),
            "Phase1IntegrityAlgorithms": values("SHA2-256"),
            "Phase2IntegrityAlgorithms": values("SHA2-256"),
            "Phase1DHGroupNumbers": values(14),
            "Phase2DHGroupNumbers": values(14),
            "IKEVersions": values("ikev2"),
            "DPDTimeoutSeconds": 45,
            "DPDTimeoutAction": "restart",
            "StartupAction": "start",
        }

    def wanted_vpn(self, i):
        return {
            "Type": "ipsec.1",
            "CustomerGatewayId": self.cgws[i],
            "VpnGatewayId": self.vgw,
            "Options": {"StaticRoutesOnly": False, "TunnelOptions": [self.strict(i, 0), self.strict(i, 1)]},
            "TagSpecifications": self.tags("vpn-connection", f"vpn-{i}"),
        }

    def vpns_now(self):
        filters = [{"Name": "vpn-gateway-id", "Values": [self.vgw]}]
        return self.ec2.describe_vpn_connections(Filters=filters)["VpnConnections"]

    def connections(self):
        ec2 = self.ec2
        for field, bad in [
            ("TunnelInsideCidr", "169.254.5.0/30"),
            ("PreSharedKey", "0123456789"),
            ("Phase2LifetimeSeconds", 7200),
            ("StartupAction", "now"),
        ]:
            wanted = self.wanted_vpn(0)
            wanted["Options"]["TunnelOptions"][0][field] = bad
            refused("InvalidParameterValue", lambda: ec2.create_vpn_connection(**wanted))
        self.vpns = []
        for i in range(2):
            made = ec2.create_vpn_connection(**self.wanted_vpn(i))["VpnConnection"]
            assert made["State"] == "pending" and made["CustomerGatewayConfiguration"], made
            again = ec2.create_vpn_connection(**self.wanted_vpn(i))["VpnConnection"]
            assert again["VpnConnectionId"] == made["VpnConnectionId"]
            self.vpns.append(made["VpnConnectionId"])
        self.visible(lambda: ec2.describe_vpn_connections(VpnConnectionIds=self.vpns))
        waiter = ec2.get_waiter("vpn_connection_available")
        waiter.wait(VpnConnectionIds=self.vpns, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        for v in self.vpns_now():
            i = self.vpns.index(v["VpnConnectionId"])
            options = {o["TunnelInsideCidr"]: o for o in v["Options"]["TunnelOptions"]}
            assert set(options) == set(INSIDE[i]), options
            for j in range(2):
                got, asked = options[INSIDE[i][j]], self.strict(i, j)
                assert got["PreSharedKey"] == KEYS[i][j]
                for field in ("Phase1EncryptionAlgorithms", "Phase2DHGroupNumbers", "StartupAction"):
                    assert got[field] == asked[field], (field, got[field])
                assert got["IkeVersions"] == asked["IKEVersions"] and got["DpdTimeoutSeconds"] == 45
                assert (got["RekeyMarginTimeSeconds"], got["ReplayWindowSize"]) == (270, 1024), "filled defaults"
            outside = {o["OutsideIpAddress"] for o in options.values()}
            assert {t["OutsideIpAddress"] for t in v["VgwTelemetry"]} == outside
            # Nobody answers at the far end, as Azure is not part of this.
            assert {(t["Status"], t["StatusMessage"]) for t in v["VgwTelemetry"]} == {("DOWN", "IPSEC IS DOWN")}
            sample = ET.fromstring(v["CustomerGatewayConfiguration"])
            path = "ipsec_tunnel/vpn_gateway/tunnel_outside_address/ip_address"
            assert {e.text for e in sample.findall(path)} == outside
        held("two VPN connections with strict tunnels; telemetry, options and XML name the same addresses")

    def tunnels(self):
        ec2, vpn = self.ec2, self.vpns[0]
        [v] = ec2.describe_vpn_connections(VpnConnectionIds=[vpn])["VpnConnections"]
        outside = v["Options"]["TunnelOptions"][0]["OutsideIpAddress"]
        one = {"VpnConnectionId": vpn, "VpnTunnelOutsideIpAddress": outside}
        status = ec2.get_active_vpn_tunnel_status(**one)["ActiveVpnTunnelStatus"]
        assert status["ProvisioningStatus"] == "available", status
        ec2.get_vpn_tunnel_replacement_status(**one)
        available = lambda: ec2.describe_vpn_connections(VpnConnectionIds=[vpn])["VpnConnections"][0]["State"] == "available"

        def settled():
            time.sleep(0.05)  # a write may not show yet
            until("available again", available)

        changed = {"DPDTimeoutSeconds": 60, "PreSharedKey": "Another.Key_9"}
        with self.time_stands_still():
            ec2.modify_vpn_tunnel_options(**one, TunnelOptions=changed)
            refused("IncorrectState", lambda: ec2.replace_vpn_tunnel(**one))
        settled()
        ec2.replace_vpn_tunnel(**one, ApplyPendingMaintenance=True)
        settled()
        assert ec2.get_vpn_tunnel_replacement_status(**one)["MaintenanceDetails"]["LastMaintenanceApplied"]
        ec2.modify_vpn_connection_options(VpnConnectionId=vpn, LocalIpv4NetworkCidr="0.0.0.0/0")
        settled()
        spare = ec2.create_customer_gateway(Type="ipsec.1", BgpAsn=65515, PublicIp="203.0.113.202")["CustomerGateway"]
        self.spare = spare["CustomerGatewayId"]
        ids = [self.spare]
        waiter = ec2.get_waiter("customer_gateway_available")
        self.visible(lambda: ec2.describe_customer_gateways(CustomerGatewayIds=ids))
        waiter.wait(CustomerGatewayIds=ids, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        moved = ec2.modify_vpn_connection(VpnConnectionId=vpn, CustomerGatewayId=self.spare)["VpnConnection"]
        assert outside not in [o["OutsideIpAddress"] for o in moved["Options"]["TunnelOptions"]], "new endpoints"
        settled()
        held("tunnels are changed, replaced and moved")

    def association_now(self):
        got = self.dx.describe_direct_connect_gateway_associations(associationId=self.association)
        return [a["associationState"] for a in got["directConnectGatewayAssociations"]]

    def associated(self):
        dx = self.dx
        until("associated", lambda: self.association_now() == ["associated"])
        pages = dx.get_paginator("describe_direct_connect_gateway_associations")
        found = [
            a
            for page in pages.paginate(associatedGatewayId=self.vgw, PaginationConfig={"PageSize": 1})
            for a in page["directConnectGatewayAssociations"]
        ]
        assert [a["associationId"] for a in found] == [self.association]
        routes = lambda way: [
            r["cidr"]
            for r in dx.list_virtual_interface_routes(
                virtualInterfaceId=self.vif, filters={"routeDirection": way}
            )["routes"]
        ]
        until("the VPC is advertised", lambda: "172.16.0.0/16" in routes("advertised"))
        table = self.aws["routeTableID"]
        [shown] = self.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        propagated = [r for r in shown["Routes"] if r["Origin"] == "EnableVgwRoutePropagation"]
        assert {r["DestinationCidrBlock"] for r in propagated} == {"169.254.50.216/30"}, propagated
        updated = dx.update_direct_connect_gateway_association(
            associationId=self.association,
            addAllowedPrefixesToDirectConnectGateway=[{"cidr": "172.16.0.0/15"}],
            removeAllowedPrefixesToDirectConnectGateway=[{"cidr": "172.16.0.0/16"}],
        )
        assert updated["directConnectGatewayAssociation"]["associationState"] == "updating", updated
        prefixes = [{"cidr": "172.16.0.0/15"}]
        find = lambda: dx.describe_direct_connect_gateway_associations(associationId=self.association)
        done = lambda a: (a["associationState"], a["allowedPrefixesToDirectConnectGateway"]) == ("associated", prefixes)
        until("associated again", lambda: done(find()["directConnectGatewayAssociations"][0]))
        held("the association carries the VPC, and the link network is propagated")

    def failover_test(self):
        dx = self.dx
        started = dx.start_bgp_failover_test(virtualInterfaceId=self.vif, testDurationInMinutes=600)
        assert started["virtualInterfaceTest"]["status"] == "In progress", started
        until("testing", lambda: self.vif_now()["virtualInterfaceState"] == "testing")
        dx.stop_bgp_failover_test(virtualInterfaceId=self.vif)
        history = dx.list_virtual_interface_test_history(virtualInterfaceId=self.vif)["virtualInterfaceTestHistory"]
        assert [t["status"] for t in history] == ["Cancelled"], history
        until("session again", lambda: self.vif_now()["bgpPeers"][0]["bgpStatus"] == "up")
        held("a failover test was started and stopped")

    def tags_and_filters(self):
        ec2 = self.ec2
        owner = [{"Name": "tag:owner", "Values": ["conf*"]}]
        assert {v["VpnConnectionId"] for v in ec2.describe_vpn_connections(Filters=owner)["VpnConnections"]} == set(self.vpns)
        assert [v["VpnGatewayId"] for v in ec2.describe_vpn_gateways(Filters=owner)["VpnGateways"]] == [self.vgw]
        cgws = ec2.describe_customer_gateways(Filters=owner)["CustomerGateways"]
        assert {c["CustomerGatewayId"] for c in cgws} == set(self.cgws)
        ec2.create_tags(Resources=[self.vgw, *self.vpns], Tags=[{"Key": "more", "Value": "x"}])
        filters = [{"Name": "key", "Values": ["more"]}]
        until("tags", lambda: len(ec2.describe_tags(Filters=filters)["Tags"]) == 3)
        ec2.delete_tags(Resources=[self.vgw, *self.vpns], Tags=[{"Key": "more"}])
        until("no tags", lambda: ec2.describe_tags(Filters=filters)["Tags"] == [])
        arn = f"arn:aws:directconnect::{self.account}:dx-gateway/{self.dxgw}"
        self.dx.tag_resource(resourceArn=arn, tags=[{"key": "more", "value": "x"}])
        self.dx.untag_resource(resourceArn=arn, tagKeys=["more"])
        held("tags and filters")

    def hosted_connection(self):
        dx = self.dx
        ports = self.megaport.call("GET", "/v2/dropdowns/partner/megaports")
        [port] = [
            p["productUid"]
            for p in ports
            if p["connectType"] == "AWSHC"
            and p["locationId"] == self.world["megaport"]["locationID"]
            and p.get("diversityZone") == "red"
        ][:1]
        far = {"connectType": "AWSHC", "ownerAccount": self.account, "name": "dxcon"}
        order = {"productName": "hc", "rateLimit": 50, "term": 1, "bEnd": {"productUid": port, "partnerConfig": far}}
        self.hosted = self.megaport.buy({"productUid": self.router, "associatedVxcs": [order]})
        [c] = until("connection", lambda: dx.describe_connections()["connections"])
        assert c["connectionState"] == "ordering" and c["bandwidth"] == "50Mbps", c
        id_ = c["connectionId"]
        assert dx.confirm_connection(connectionId=id_)["connectionState"] == "pending"
        now = lambda: dx.describe_connections(connectionId=id_)["connections"][0]["connectionState"]
        until("available", lambda: now() == "available")
        new = {
            "virtualInterfaceName": "second",
            "vlan": c["vlan"],
            "asnLong": 4200000001,
            "virtualGatewayId": self.vgw,
            "tags": [{"key": "owner", "value": "conformance"}],
        }
        made = dx.create_private_virtual_interface(connectionId=id_, newPrivateVirtualInterface=new)
        assert (made["asn"], made["asnLong"]) == (0, 4200000001), made
        second = made["virtualInterfaceId"]

        def state():
            got = dx.describe_virtual_interfaces(connectionId=id_)["virtualInterfaces"]
            return got[0]["virtualInterfaceState"] if got else None

        until("second VIF", lambda: state() in ("available", "down"))
        dx.update_virtual_interface_attributes(virtualInterfaceId=second, mtu=8500)
        until("mtu", lambda: state() in ("available", "down"))
        dx.delete_virtual_interface(virtualInterfaceId=second)
        until("deleted", lambda: state() in ("deleted", None))
        self.megaport.cancel(self.hosted)
        until("connection gone", lambda: all(c["connectionState"] == "deleted" for c in dx.describe_connections()["connections"]))
        held("a hosted connection was confirmed, used and taken back")

    def wrong_orders(self):
        ec2, dx, vpc = self.ec2, self.dx, self.aws["vpcID"]
        refused("IncorrectState", lambda: ec2.delete_vpn_gateway(VpnGatewayId=self.vgw))
        refused("IncorrectState", lambda: ec2.delete_customer_gateway(CustomerGatewayId=self.cgws[1]), "in use")
        refused("DependencyViolation", lambda: ec2.delete_vpc(VpcId=vpc))
        refused("VpnGatewayAttachmentLimitExceeded", lambda: ec2.attach_vpn_gateway(VpnGatewayId=self.vgw, VpcId=vpc))
        # Accepted, and then comes to nothing.
        deleting = dx.delete_direct_connect_gateway(directConnectGatewayId=self.dxgw)["directConnectGateway"]
        assert deleting["directConnectGatewayState"] == "deleting", deleting
        until("back", lambda: "associations" in self.dxgw_now()[0].get("stateChangeError", ""))
        assert self.dxgw_now()[0]["directConnectGatewayState"] == "available"
        held("a Direct Connect gateway in use came back to life")

    def teardown(self):
        ec2, dx, vpc = self.ec2, self.dx, self.aws["vpcID"]
        assert dx.delete_virtual_interface(virtualInterfaceId=self.vif)["virtualInterfaceState"] == "deleting"
        dx.delete_direct_connect_gateway_association(associationId=self.association)
        for vpn in self.vpns:
            ec2.delete_vpn_connection(VpnConnectionId=vpn)
        now = lambda: {v["State"] for v in ec2.describe_vpn_connections(VpnConnectionIds=self.vpns)["VpnConnections"]}
        until("connections deleted", lambda: gone(now) or now() == {"deleted"})
        for cgw in [*self.cgws, self.spare]:
            ec2.delete_customer_gateway(CustomerGatewayId=cgw)
        until("VIF gone", lambda: gone(self.vif_now) or self.vif_now()["virtualInterfaceState"] == "deleted")
        self.megaport.cancel(self.vxc)
        until("VXC gone", lambda: self.megaport.gone(self.vxc))
        self.megaport.cancel(self.router)
        until("router gone", lambda: self.megaport.gone(self.router))
        until("disassociated", lambda: self.association_now() in (["disassociated"], []))
        dx.delete_direct_connect_gateway(directConnectGatewayId=self.dxgw)
        until("DXGW gone", lambda: self.dxgw_now() == [])
        ec2.disable_vgw_route_propagation(GatewayId=self.vgw, RouteTableId=self.aws["routeTableID"])
        ec2.detach_vpn_gateway(VpnGatewayId=self.vgw, VpcId=vpc)
        until("detached", lambda: self.attachment() == "detached")
        ec2.delete_vpn_gateway(VpnGatewayId=self.vgw)
        until("VGW deleted", lambda: gone(self.vgw_now) or self.vgw_now()["State"] == "deleted")
        refused("InvalidVpnGatewayID.NotFound", lambda: ec2.delete_vpn_gateway(VpnGatewayId=self.vgw))
        held("all was taken down in order, and the deleted objects are still listed")

    def mutations(self):
        """What the models refuse, the sandbox refuses: every accepted input without each of its required members, and
        with a value that its enum lacks. Sent with boto3's own validation switched off."""
        tried = 0
        clients = {s: self.client(s, parameter_validation=False) for s in ("ec2", "directconnect", "sts")}
        for (service, name), params in sorted(self.recorder.accepted.items()):
            client = clients[service]
            model = client.meta.service_model.operation_model(name)
            call = getattr(client, to_snake(client, name))
            if model.input_shape is None:
                continue
            for path, shape in paths(model.input_shape, params):
                changed = copy.deepcopy(params)
                at = changed
                for step in path[:-1]:
                    at = at[step]
                if shape is None:
                    del at[path[-1]]
                    wanted = ("MissingParameter", "ValidationError", "InvalidIdentityToken", "DirectConnectClientException")
                else:
                    at[path[-1]] = "bogus"
                    wanted = ("InvalidParameterValue", "InvalidParameterCombination", "DirectConnectClientException")
                try:
                    call(**changed)
                except ClientError as e:
                    code = e.response["Error"]["Code"]
                    # Refused for what is wrong, not because the object has gone meanwhile.
                    assert code in wanted and "does not exist" not in str(e), f"{name} {path}: {e}"
                    tried += 1
                    continue
                raise AssertionError(f"{name} was accepted with {path} {'missing' if shape is None else 'bogus'}")
        assert tried > 50, tried
        held(f"{tried} inputs that the models do not allow were refused")


def checker_checks(recorder):
    """The checker itself: the same answers with something wrong in them must not pass."""
    wrong = [
        ("ec2", "CreateVpnGateway", b"<state>pending<", b"<state>brewing<"),
        ("ec2", "CreateVpnGateway", b"<type>ipsec.1</type>", b"<kind>ipsec.1</kind>"),
        ("ec2", "CreateVpnGateway", b"<amazonSideAsn>64900<", b"<amazonSideAsn>many<"),
        ("ec2", "DescribeVpcs", b"<isDefault>false<", b"<isDefault>no<"),
        ("ec2", "DescribeVpcs", b"<item>", b"<member>"),
        ("ec2", "AttachVpnGateway", b"doc/2016-11-15", b"doc/2011-01-01"),
        ("sts", "AssumeRole", b"<AccessKeyId>", b"<AccessKey>"),
        ("directconnect", "CreateDirectConnectGateway", b'"pending"', b'"brewing"'),
        ("directconnect", "CreateDirectConnectGateway", b'"amazonSideAsn":64901', b'"amazonSideAsn":"64901"'),
        ("directconnect", "CreateDirectConnectGateway", b'"amazonSideAsn":64901', b'"amazonSideAsn":null'),
        ("directconnect", "DescribeLocations", b'"locationCode"', b'"locationcode"'),
        ("directconnect", "DescribeTags", b'"key"', b'"value2"'),
    ]
    for service, name, old, new in wrong:
        model, status, headers, body = recorder.raw[service, name]
        if old == b"<item>":
            doctored = body.replace(b"item>", b"member>")
        elif old == b"<AccessKeyId>":
            doctored = body.replace(b"AccessKeyId>", b"AccessKey>")
        else:
            doctored = body.replace(old, new)
        assert doctored != body, f"{name}: nothing to doctor"
        assert models.check(model, name, status, headers, doctored), f"{name} with {new} passes"
    held(f"the checker finds each of {len(wrong)} planted defects")


def to_snake(client, operation):
    return next(k for k, v in client.meta.method_to_api_mapping.items() if v == operation)


def paths(shape, value, at=()):
    """Ways to break an input: (path of a required member, None) and (path of an enum value, its shape)."""
    if shape.type_name == "structure" and isinstance(value, dict):
        for name in value:
            if name in shape.required_members:
                yield (*at, name), None
            yield from paths(shape.members[name], value[name], (*at, name))
    elif shape.type_name == "list" and isinstance(value, list):
        for i, item in enumerate(value):
            yield from paths(shape.member, item, (*at, i))
    elif getattr(shape, "enum", None):
        yield at, shape


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--dir", required=True, type=Path)
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    # No one's own settings: only what is given here counts.
    for name in ("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL"):
        os.environ.pop(name, None)
    life = Life(parser.parse_args().dir)
    life.run()
    r = life.recorder
    checker_checks(r)
    for name, count in sorted(r.by_operation.items()):
        print(f"{count:5} {name}")
    print(f"{r.checked} answers checked of {len(r.by_operation)} operations, {len(r.defects)} defects")
    sys.exit(1 if r.defects else 0)


if __name__ == "__main__":
    main()
