"""A Modbus slave that is not ours (pymodbus), for TestForeignSlave.

usage: slave.py tcp HOST PORT | rtu-over-tcp HOST PORT | rtu DEVICE BAUD
Standard input: {"UNIT": {"holding": {"ADDRESS": WORD}, "input": {...}}}, all units
that answer. A register that is not in it is refused (illegal data address).
"""
import asyncio
import json
import sys

from pymodbus import FramerType
from pymodbus.datastore import ModbusDeviceContext, ModbusServerContext, ModbusSparseDataBlock
from pymodbus.server import ModbusSerialServer, ModbusTcpServer


def block(words):
    # pymodbus counts the registers of a device context from 1.
    return ModbusSparseDataBlock({int(a) + 1: w for a, w in words.items()} or {1: 0})


async def main():
    image = json.load(sys.stdin)
    devices = {int(unit): ModbusDeviceContext(hr=block(tables["holding"]), ir=block(tables["input"])) for unit, tables in image.items()}
    context = ModbusServerContext(devices=devices, single=False)
    kind = sys.argv[1]
    if kind == "rtu":
        server = ModbusSerialServer(context, framer=FramerType.RTU, port=sys.argv[2], baudrate=int(sys.argv[3]), parity="N")  # pseudo-terminals have none
    else:
        framer = FramerType.SOCKET if kind == "tcp" else FramerType.RTU
        server = ModbusTcpServer(context, framer=framer, address=(sys.argv[2], int(sys.argv[3])))
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
