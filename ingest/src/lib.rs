//! Speaks to devices, in both directions: OPC UA, Modbus TCP and MQTT.
